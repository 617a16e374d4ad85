"""Serve the miniature LM Studio on a port of this machine."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from flask_shim.config import Config
from flask_shim.embedded.mini_app import create_miniature
from flask_shim.embedded.mini_services import MiniServices
from flask_shim.embedded.mini_settings import DEFAULTS, MiniSettings
from flask_shim.serving.listeners import Place, listen
from flask_shim.serving.server import serve_in_background

HOST = "127.0.0.1"
CONFIG = Config(threads=32, connection_limit=500)


class MiniLMStudio:
    """A miniature LM Studio that serves this machine until :meth:`stop`; a context manager.

    Port 0 is any free one. Raise OSError if the port is taken.
    """

    def __init__(self, settings: MiniSettings = DEFAULTS, *, port: int = 0) -> None:
        """Start to serve on a thread."""
        self.app = create_miniature(settings)
        self.services: MiniServices = self.app.extensions["miniature"]
        listener = listen(Place(socket.AF_INET, (HOST, port)))
        self.port = int(listener.getsockname()[1])
        self.url = f"http://{HOST}:{self.port}"
        self._running = ExitStack()
        self._running.enter_context(serve_in_background(self.app, CONFIG, [listener]))
        self._running.callback(self.services.loaded_models.close)

    def stop(self) -> None:
        """End the engines with their requests, and the server; safe to call twice."""
        self._running.close()

    def __enter__(self) -> MiniLMStudio:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
