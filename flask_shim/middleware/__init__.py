"""What happens to every request before its route runs, in this order."""

from __future__ import annotations

from flask import Flask, Response, request

from flask_shim.config import Config
from flask_shim.middleware import access, inspection, operator_access, paths, server_check
from flask_shim.observability import access_log

__all__ = ["MIDDLEWARE", "WSGI_MIDDLEWARE", "init_app"]

WSGI_MIDDLEWARE = (paths.clean_paths, access_log.init_app)
"""Clean the path, then give the request its id and its record; outermost first."""

MIDDLEWARE = (
    access.build_check,
    operator_access.build_check,
    inspection.build_check,
    server_check.build_check,
    paths.build_check,
)
"""Check host, origin, key and size, and decode the body; check who uses the operator's routes; keep the
body for the inspector; check a foreign server; redirect trailing slashes. Each builds a function that returns a
response instead of the route's, or None."""


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
        return None
