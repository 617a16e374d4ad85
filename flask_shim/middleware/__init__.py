"""What happens to every request before its route runs, in this order."""

from __future__ import annotations

from flask import Flask

from flask_shim.config import Config
from flask_shim.middleware import access, inspection, operator_access, paths, server_check
from flask_shim.observability import access_log

__all__ = ["MIDDLEWARE", "WSGI_MIDDLEWARE", "init_app"]

WSGI_MIDDLEWARE = (paths.clean_paths, access_log.init_app)
"""Clean the path, then give the request its id and its record; outermost first."""

MIDDLEWARE = (access.init_app, operator_access.init_app, inspection.init_app, server_check.init_app, paths.init_app)
"""Check host, origin, key and size, and decode the body; check who uses the operator's routes; keep the body for the
inspector; check a foreign server; redirect trailing slashes."""


def init_app(app: Flask, config: Config) -> None:
    """Add all middleware to ``app``, which has its services already."""
    for wrap in reversed(WSGI_MIDDLEWARE):
        wrap(app)
    for add in MIDDLEWARE:
        add(app, config)
