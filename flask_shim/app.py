"""The application factory: a table of contents."""

from __future__ import annotations

from flask import Flask

from flask_shim import error_responses, middleware, routes
from flask_shim.config import CannotStart, Config, ConfigError, data_folder
from flask_shim.lmstudio import LMStudio
from flask_shim.observability import logs, metrics
from flask_shim.services import Services


def create_app(config: Config | None = None, backend: LMStudio | None = None) -> Flask:
    """Build the WSGI application; without ``config`` the environment is read.

    Raises ConfigError with every mistake in the settings; if nobody takes it, the program ends with them as its text.
    """
    if config is None:
        config = _from_env()
    app = Flask("flask_shim", static_folder=None)
    app.url_map.strict_slashes = False
    services = Services.build(config, backend)
    services.init_app(app)
    middleware.init_app(app, config)
    metrics.init_app(app, config, services.slots, services.backend)
    error_responses.init_app(app)
    routes.init_app(app)
    return app


def _from_env() -> Config:
    try:
        config = Config.from_env()
        logs.configure(config)  # the settings are ours to read, so are those of the log
        data_folder.check(config)
    except ConfigError as exc:
        raise CannotStart(exc.problems) from None
    return config
