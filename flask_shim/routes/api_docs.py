"""The description of the API: OpenAPI for programs, and a page of Swagger UI that loads nothing from other servers."""

from __future__ import annotations

from importlib.resources import files
from typing import NamedTuple

import orjson
from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import NotFound

from flask_shim.error_responses import JSON_UTF8
from flask_shim.middleware.access import is_open
from flask_shim.openapi import describe
from flask_shim.services import services

bp = Blueprint("docs", __name__)

_KEY = "flask_shim.openapi"

_DAY_SECONDS = 86_400

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class File(NamedTuple):
    """A file of the page: its package, its path in there, its media type."""

    package: str
    path: str
    media: str


_HTML, _CSS, _SCRIPT, _PNG, _TEXT = "text/html", "text/css", "text/javascript", "image/png", "text/plain"

PAGE = File("flask_shim", "openapi/page/index.html", f"{_HTML}; charset=utf-8")

FILES = {
    "page.css": File("flask_shim", "openapi/page/page.css", f"{_CSS}; charset=utf-8"),
    "page.js": File("flask_shim", "openapi/page/page.js", f"{_SCRIPT}; charset=utf-8"),
    "swagger-ui.css": File("flask_swagger_ui", "dist/swagger-ui.css", f"{_CSS}; charset=utf-8"),
    "swagger-ui-bundle.js": File("flask_swagger_ui", "dist/swagger-ui-bundle.js", f"{_SCRIPT}; charset=utf-8"),
    "favicon-32x32.png": File("flask_swagger_ui", "dist/favicon-32x32.png", _PNG),
    "LICENSE": File("flask_swagger_ui", "dist/LICENSE", f"{_TEXT}; charset=utf-8"),
}
"""The files of the page by their name below ``/docs/``."""


@bp.get("/openapi.json")
def description() -> Response:
    """Describe this API as OpenAPI."""
    kept = current_app.extensions
    if _KEY not in kept:
        kept[_KEY] = orjson.dumps(describe(current_app._get_current_object(), services().config, is_open))  # type: ignore[attr-defined]  # Flask's way to its application
    return _tagged(Response(kept[_KEY], content_type=JSON_UTF8), "no-cache")


@bp.get("/docs")
def docs() -> Response:
    """Redirect to the page."""
    # Relative, so that it also works below a path of a proxy.
    return Response(status=301, headers={"Location": "docs/"})


@bp.get("/docs/")
def page() -> Response:
    """Show this description as a page on which every request can be tried."""
    return _file(PAGE, "no-cache")


@bp.get("/docs/<name>")
def part(name: str) -> Response:
    """Return a file of the page."""
    if name not in FILES:
        raise NotFound
    return _file(FILES[name], f"max-age={_DAY_SECONDS}")


def _file(file: File, caching: str) -> Response:
    data = files(file.package).joinpath(file.path).read_bytes()
    return _tagged(Response(data, content_type=file.media, headers=_HEADERS), caching)


def _tagged(response: Response, caching: str) -> Response:
    """Let the browser cache the answer and validate it."""
    response.headers["Cache-Control"] = caching
    response.add_etag()
    return response.make_conditional(request)  # type: ignore[return-value]  # the same one
