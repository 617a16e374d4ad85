"""Paths as Ollama takes them: cleaned before anything looks at them, with no slash at their end."""

from __future__ import annotations

import html
import posixpath
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from flask import Flask, Response, request
from werkzeug.exceptions import MethodNotAllowed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

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
"""The only method of paths that would otherwise be passed on whatever the method is."""


def init_app(app: Flask) -> None:
    """Clean the paths of all requests to ``app``, and answer those that go to the right place in a wrong way."""
    app.wsgi_app = _cleaning(app.wsgi_app)  # type: ignore[method-assign, assignment]  # Flask's own way to wrap an app
    app.before_request(_redirect)
    app.before_request(_refuse)


def cleaned(path: str) -> str:
    """Return the path that is meant.

    Clients put ``/api/...`` behind whatever address somebody gave them, with a slash at its end or a ``/v1``. Dot
    segments are taken out because the checks of a path must see the one that LM Studio will see.
    """
    if "//" in path or "/." in path:
        slash = "/" if path.endswith(("/", "/.", "/..")) else ""
        path = posixpath.normpath(_SLASHES.sub("/", path)).rstrip("/") + slash or "/"
    return path[len("/v1") :] if path.startswith("/v1/api/") else path


def _cleaning(app: WSGIApplication) -> WSGIApplication:
    def wsgi_app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["PATH_INFO"] = cleaned(environ.get("PATH_INFO", ""))
        return app(environ, start_response)

    return wsgi_app


def _redirect() -> Response | None:
    """Send a request for a path with a slash too many to the path without."""
    rule = request.url_rule
    if rule is None or not request.path.endswith("/") or rule.rule.endswith("/"):
        return None
    query = request.query_string.decode("ascii", "replace")
    url = quote(request.script_root + request.path.rstrip("/")) + (f"?{query}" if query else "")
    if request.method == "GET":
        body = f'<a href="{html.escape(url)}">Moved Permanently</a>.\n\n'
        return Response(body, 301, {"Location": url}, content_type="text/html; charset=utf-8")
    response = Response(status=307, headers={"Location": url})
    del response.headers["Content-Type"]
    return response


def _refuse() -> None:
    method = "GET" if request.path.startswith("/v1/models/") else _METHODS.get(request.path)
    if method is not None and request.method != method:
        raise MethodNotAllowed([method])
