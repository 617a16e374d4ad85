"""Run a shim with the user's settings, on a free port, while the checks run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from flask_shim.app import create_app
from flask_shim.config import Config
from flask_shim.config.addresses import LOOPBACKS
from flask_shim.services import services_of
from flask_shim.serving import open_listeners, urls_of
from flask_shim.serving.server import serve_in_background


@contextmanager
def run_temporary_shim(config: Config) -> Iterator[str]:
    """Run it in this process; yield its address."""
    config = replace(config, hosts=LOOPBACKS, port=0, workers=1)
    listeners = open_listeners(config)
    app = create_app(config)
    try:
        with serve_in_background(app, config, listeners):
            yield urls_of(listeners)[0]
    finally:
        services_of(app).close()
