"""Entry points for WSGI servers: ``waitress-serve flask_shim.wsgi:app``.

They read the environment, set up the log and build the application, which is built when ``app`` is first read.
"""

from __future__ import annotations

from typing import Any

import click
from flask import Flask

from flask_shim.app import create_app
from flask_shim.config import Config, ConfigError, data_folder
from flask_shim.observability import logs


def create_server_app() -> Flask:
    """Set up the log and build the application; exit with code 2 and all mistakes if the settings are invalid."""
    try:
        config = Config.from_env()
        logs.configure(config)
        data_folder.check(config)
    except ConfigError as exc:
        click.echo(str(exc), err=True)
        raise SystemExit(2) from None
    return create_app(config)


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    app = globals()["app"] = create_server_app()
    return app
