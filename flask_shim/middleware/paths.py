"""Request paths as Ollama's router treats them: normalized before any check, without a trailing slash."""

from __future__ import annotations

import html
import posixpath
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from flask import Flask, Request, Response
from werkzeug.exceptions import MethodNotAllowed, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_SLASHES = re.compile(r"/{2,}")

_METHODS = {
    "/v1/chat/completions": "POST",
    "/v1/completions": "POST",
    "/v1/embeddings": "POST",
    "/v1/responses": "POST",
    "/v1/messages": "POST",
    "/v1/messages/count_tokens": "POST",
    "/v1/audio/transcriptions": "POST",
    "/v1/models": "GET",
}
"""The only method of paths that the passthrough route would accept with other methods, too."""


def clean_paths(app: Flask) -> None:
    """Normalize the path of every request to ``app`` before routing."""
    inner = app.wsgi_app

    def wsgi_app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["PATH_INFO"] = clean_path(environ.get("PATH_INFO", ""))
        return inner(environ, start_response)

    app.wsgi_app = wsgi_app  # type: ignore[method-assign]  # Flask's documented way to wrap an app


def clean_path(path: str) -> str:
    """Return the normalized path, which begins with a slash.

    Clients append ``/api/...`` to any base URL, also to one that ends with a slash or with ``/v1``. Dot segments are
    resolved because access checks must see the path that LM Studio will see.
    """
    if "//" in path or "/." in path:
        slash = "/" if path.endswith(("/", "/.", "/..")) else ""
        path = posixpath.normpath(_SLASHES.sub("/", path)).rstrip("/") + slash or "/"
    if not path.startswith("/"):
        return f"/{path}"
    return path[len("/v1") :] if path.startswith("/v1/api/") else path


def check(request: Request) -> Response | None:
    """Redirect paths with a trailing slash, and reject wrong methods."""
    path, rule = request.path, request.url_rule
    if path.endswith("/") and rule is not None and not rule.rule.endswith("/"):
        return _redirect(request)
    method = "GET" if path.startswith("/v1/models/") else _METHODS.get(path)
    if method is not None and request.method != method:
        raise MethodNotAllowed([method])
    if path.startswith("/v1/") and isinstance(request.routing_exception, MethodNotAllowed):
        raise NotFound  # only the passthrough route matches the path, with other methods
    return None


def _redirect(request: Request) -> Response:
    query = request.query_string.decode("ascii", "replace")
    url = quote(request.script_root + request.path.rstrip("/")) + (f"?{query}" if query else "")
    if request.method == "GET":
        body = f'<a href="{html.escape(url)}">Moved Permanently</a>.\n\n'
        return Response(body, 301, {"Location": url}, content_type="text/html; charset=utf-8")
    response = Response(status=307, headers={"Location": url})
    del response.headers["Content-Type"]
    return response
