"""What happens to every request before its route runs, in this order; the inspector gets what passed all checks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask, Response, request

from flask_shim.config import Config
from flask_shim.middleware import access, paths, server_check
from flask_shim.observability import access_log
from flask_shim.observability.inspector import Body
from flask_shim.observability.request_context import current

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

__all__ = ["CHECKS", "WSGI_MIDDLEWARE", "init_app"]

WSGI_MIDDLEWARE = (paths.clean_paths, access_log.init_app)
"""Clean the path, then give the request its id and its record; outermost first."""

CHECKS = (access.build_check, server_check.build_check)
"""Check host, origin, key and size, and decode the body; check a foreign server. Each builds a function of the WSGI
environment that returns a response instead of the route's, or None. What depends on the route is checked last, by
:func:`flask_shim.middleware.paths.check`."""


def init_app(app: Flask, config: Config) -> None:
    """Add all middleware to ``app``, which has its services already."""
    answer = app.wsgi_app
    checks = [build(app, config) for build in CHECKS]

    def check_environ(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        response = None
        try:
            for check in checks:
                response = response or check(environ)
        except Exception as exc:  # noqa: BLE001  a bug is answered as one in a route
            with app.request_context(environ):
                response = app.make_response(app.handle_user_exception(exc))
        if response is None:
            return answer(environ, start_response)
        with app.request_context(environ):
            access_log.note_route(request)
        return response(environ, start_response)

    app.wsgi_app = check_environ  # type: ignore[method-assign]  # Flask's documented way to wrap an app
    for wrap in reversed(WSGI_MIDDLEWARE):
        wrap(app)

    @app.before_request
    def check_route() -> Response | None:
        current_request = request._get_current_object()  # type: ignore[attr-defined]  # once: each use looks it up
        access_log.note_route(current_request)
        if (response := paths.check(current_request)) is not None:
            return response
        if (exchange := current().exchange) is not None:
            exchange.body = Body(current_request.get_data(cache=True))
        return None
