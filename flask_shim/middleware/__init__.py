"""What happens to every request before its route runs, in this order; the inspector gets what passed all checks."""

from __future__ import annotations

from flask import Flask, Response, request

from flask_shim.config import Config
from flask_shim.middleware import access, paths, server_check
from flask_shim.observability import access_log
from flask_shim.observability.inspector import Body
from flask_shim.observability.request_context import current

__all__ = ["MIDDLEWARE", "WSGI_MIDDLEWARE", "init_app"]

WSGI_MIDDLEWARE = (paths.clean_paths, access_log.init_app)
"""Clean the path, then give the request its id and its record; outermost first."""

MIDDLEWARE = (access.build_check, server_check.build_check, paths.build_check)
"""Check host, origin, key and size, and decode the body; check a foreign server; redirect trailing slashes. Each builds
a function that returns a response instead of the route's, or None."""


def init_app(app: Flask, config: Config) -> None:
    """Add all middleware to ``app``, which has its services already."""
    for wrap in reversed(WSGI_MIDDLEWARE):
        wrap(app)
    checks = [access_log.note_route, *(build(app, config) for build in MIDDLEWARE)]

    @app.before_request
    def check() -> Response | None:
        current_request = request._get_current_object()  # type: ignore[attr-defined]  # once: each use looks it up
        for each in checks:
            if (response := each(current_request)) is not None:
                return response
        if (exchange := current().exchange) is not None:
            exchange.body = Body(current_request.get_data(cache=True))
        return None
