"""Give the inspector the body of each request that passed the checks, while it is switched on."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, Request

from flask_shim.config import Config
from flask_shim.observability.access_log import recorder_of
from flask_shim.observability.inspector import Body, Inspector
from flask_shim.observability.request_context import current


def build_check(app: Flask, config: Config) -> Callable[[Request], None]:
    """Attach an inspector to ``app``, switched on if SHIM_INSPECT says so."""
    recorder_of(app).inspect_with(Inspector(config.inspect))
    return _keep_body


def _keep_body(request: Request) -> None:
    if (exchange := current().exchange) is not None:
        exchange.body = Body(request.get_data(cache=True))
