"""Answers that never change: made once by their route, and from then on given without asking Flask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask

from flask_shim.config import Config
from flask_shim.middleware.access import is_open
from flask_shim.observability.request_context import current

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATHS = ("/", "/health", "/healthz", "/ping", "/api/version")
"""Whatever is asked, and however often: the answer to a GET is the same."""

MOST_KEPT = 128
"""Clients choose by which name they call us, and could make up a new one for every request."""

_KEY = "flask_shim_prepared"

_CHANGING = frozenset({"ORIGIN", "CONTENT_LENGTH", "TRANSFER_ENCODING"})
"""Headers for which a guard or the answer may differ, as waitress names them."""

_CHANGING_ENVIRON = frozenset({"HTTP_ORIGIN", "CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"})
"""The same as WSGI names them."""

Key = tuple[str, str]
"""Path and Host."""


class _Answer(NamedTuple):
    headers: tuple[tuple[str, str], ...]
    body: bytes


def init_app(app: Flask, config: Config) -> None:
    """Put the answers in front of ``app``; what needs a key is not among them."""
    paths = [path for path in PATHS if is_open(path) or not config.api_keys]
    app.extensions[_KEY] = prepared = StaticResponses(app.wsgi_app, paths)
    app.wsgi_app = prepared  # type: ignore[method-assign]


def static_responses_of(app: Flask) -> StaticResponses:
    """Return what :func:`install` has put in front of ``app``."""
    found: StaticResponses = app.extensions[_KEY]
    return found


class StaticResponses:
    """The WSGI application, with a memory of the answers that it gave to plain requests for some paths."""

    def __init__(self, app: WSGIApplication, paths: Iterable[str]) -> None:
        """Wrap ``app``; nothing is known before somebody asks for it."""
        self._app = app
        self._paths = frozenset(paths)
        self._known: dict[Key, _Answer] = {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer from memory, or ask the application."""
        key = environ.get("PATH_INFO", ""), environ.get("HTTP_HOST", "")
        is_plain = environ["REQUEST_METHOD"] == "GET" and _CHANGING_ENVIRON.isdisjoint(environ)
        if key[0] not in self._paths or not is_plain:
            return self._app(environ, start_response)
        answer = self._known.get(key)
        if answer is None:
            return self._learn(key, environ, start_response)
        current().route = key[0]
        start_response("200 OK", [*answer.headers])
        return [answer.body]

    def is_ready(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        """Tell whether a request will be answered from memory; the names of headers as waitress has them."""
        is_known = (path, headers.get("HOST", "")) in self._known
        return is_known and method == "GET" and _CHANGING.isdisjoint(headers)

    def _learn(self, key: Key, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        told: list[Any] = []

        def started(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
            told[:] = status, headers
            return start_response(status, headers, exc_info)

        blocks = self._app(environ, started)
        try:
            body = b"".join(blocks)
        finally:
            if callable(close := getattr(blocks, "close", None)):
                close()
        if told[0].startswith("200 ") and key[1] and len(self._known) < MOST_KEPT:
            self._known[key] = _Answer(tuple(told[1]), body)
        return [body]
