"""The application factory: a table of contents."""

from __future__ import annotations

from flask import Flask

from flask_shim import faces
from flask_shim.config import Config
from flask_shim.lmstudio import LMStudio
from flask_shim.routes import BLUEPRINTS, tidy
from flask_shim.services import Services


def create_app(config: Config | None = None, backend: LMStudio | None = None) -> Flask:
    """Build the WSGI application; without ``config`` the environment is read.

    Raises ConfigError with every mistake in the settings.
    """
    config = config or Config.from_env()
    app = Flask("flask_shim", static_folder=None)
    app.url_map.strict_slashes = False
    Services.build(config, backend).install(app)
    faces.install(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    tidy(app)
    return app
