"""Run a shim with the user's settings, on a free port, while the checks run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from flask_shim.app import create_app
from flask_shim.config import Config
from flask_shim.config.addresses import LOOPBACKS
from flask_shim.services import services_of
from flask_shim.serving import open_listeners, urls_of
from flask_shim.serving.server import Server

STOP_SECONDS = 5.0


@contextmanager
def run_temporary_shim(config: Config) -> Iterator[str]:
    """Run it in this process; yield its address."""
    config = replace(config, hosts=LOOPBACKS, port=0, workers=1)
    listeners = open_listeners(config)
    url = urls_of(listeners)[0]
    app = create_app(config)
    server = Server(app, config, listeners)
    thread = threading.Thread(target=server.run, name="shim-doctor", daemon=True)
    thread.start()
    try:
        yield url
    finally:
        server.stop()
        thread.join(STOP_SECONDS)
        services_of(app).close()
