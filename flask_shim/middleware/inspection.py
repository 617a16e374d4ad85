"""Give the inspector the body of each request that passed the checks, while it is switched on."""

from __future__ import annotations

from flask import Flask, request

from flask_shim.config import Config
from flask_shim.observability.access_log import recorder_of
from flask_shim.observability.inspector import Body, Inspector
from flask_shim.observability.request_context import current


def init_app(app: Flask, config: Config) -> None:
    """Attach an inspector to ``app``, switched on if SHIM_INSPECT says so."""
    recorder_of(app).inspect_with(Inspector(config.inspect))
    app.before_request(_keep_body)


def _keep_body() -> None:
    if (exchange := current().exchange) is not None:
        exchange.body = Body(request.get_data(cache=True))
