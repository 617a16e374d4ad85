"""What answers for browsers need: headers that keep other sites out, and files that the browser can cache."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from flask import Response, request

from flask_shim.error_responses import json_response

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
    "": "text/plain; charset=utf-8",
}
"""By suffix; the mimetypes module reads the Windows registry, where other programs change the types of scripts."""

DAY_SECONDS = 86_400


def page_headers(*, images: str = "'self'") -> dict[str, str]:
    """Return the headers of a page that loads only this server's files; ``images`` are its sources of images."""
    policy = (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        f"img-src {images}",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def file_response(package: str, path: str, headers: dict[str, str], caching: str) -> Response:
    """Return a file of a package, by its path in there."""
    found = files(package).joinpath(path)
    suffix = path[path.rfind(".") :] if "." in path else ""
    return make_cacheable(Response(found.read_bytes(), content_type=MEDIA_TYPES[suffix], headers=headers), caching)


def polled_response(body: Any) -> Response:
    """Return JSON that clients fetch again and again; 304 while it is the same."""
    response = json_response(body)
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag(weak=True)
    return response.make_conditional(request)  # type: ignore[return-value]  # the same one


def make_cacheable(response: Response, caching: str) -> Response:
    """Add what a browser needs to cache a response and to ask whether it is still valid; 304 if it is."""
    response.headers["Cache-Control"] = caching
    response.add_etag()
    return response.make_conditional(request)  # type: ignore[return-value]  # the same one
