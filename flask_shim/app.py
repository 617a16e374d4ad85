"""The application factory: a table of contents."""

from __future__ import annotations

from flask import Flask

from flask_shim import data_folder, exposure, faces, foreign_server, guards, log, metrics, prepared, recording, routes
from flask_shim.config import CannotStart, Config, ConfigError
from flask_shim.lmstudio import LMStudio
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
    services.install(app)
    prepared.install(app, config)
    recorder = recording.install(app)
    foreign_server.install(app, services.slots)
    exposure.install(app, config)
    guards.install(app, config)
    metrics.install(app, config, recorder, services.slots, services.backend)
    faces.install(app)
    routes.install(app)
    return app


def _from_env() -> Config:
    try:
        config = Config.from_env()
        log.configure(config)  # the settings are ours to read, so are those of the log
        data_folder.check(config)
    except ConfigError as exc:
        raise CannotStart(exc.problems) from None
    return config
