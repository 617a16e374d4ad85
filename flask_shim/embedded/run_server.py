"""Serve the miniature LM Studio on a port of this machine."""

from __future__ import annotations

import select
import socket
import sys
import threading
from types import TracebackType
from typing import Any

from waitress.server import create_server

from flask_shim.embedded.mini_app import create_miniature
from flask_shim.embedded.mini_services import JournalEntry, MiniServices
from flask_shim.embedded.mini_settings import DEFAULTS, MiniSettings
from flask_shim.serving._waitress import shut_down

HOST = "127.0.0.1"
THREADS = 32
CONNECTIONS = 500
STOP_SECONDS = 5.0


def _open_listener(port: int) -> socket.socket:
    """Bind here, as waitress leaves sockets open if the port is taken."""
    listener = socket.socket()
    try:
        if sys.platform == "win32":
            # Windows lets two programs share a port otherwise.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        raise
    return listener


class MiniLMStudio:
    """A miniature LM Studio that serves this machine until :meth:`stop`; a context manager.

    Port 0 is any free one. Raise OSError if the port is taken.
    """

    def __init__(self, settings: MiniSettings = DEFAULTS, *, port: int = 0) -> None:
        """Start to serve on a thread."""
        self.app = create_miniature(settings)
        self.services: MiniServices = self.app.extensions["miniature"]
        try:
            listener = _open_listener(port)
        except OSError:
            self.services.close()
            raise
        self.port = int(listener.getsockname()[1])
        self.url = f"http://{HOST}:{self.port}"
        # Any: the type of create_server is wider than the one-socket server that it returns.
        self._server: Any = create_server(
            self.app,
            sockets=[listener],
            threads=THREADS,
            connection_limit=CONNECTIONS,
            # Without look-ahead, waitress does not notice a disconnect before the first token.
            channel_request_lookahead=1,
            asyncore_use_poll=hasattr(select, "poll"),
            ident=None,
        )
        self._thread = threading.Thread(target=self._server.run, name="miniature", daemon=True)
        self._thread.start()

    @property
    def journal(self) -> list[JournalEntry]:
        """The last ``journal_length`` requests, oldest first."""
        return list(self.services.journal)

    @property
    def open_generations(self) -> int:
        """The number of requests that run on an engine or wait for it."""
        return self.services.loaded_models.open_generations

    def stop(self) -> None:
        """End the engines with their requests, and the server; safe to call twice."""
        self.services.close()
        if self._thread.is_alive():
            shut_down([self._server], seconds=STOP_SECONDS)
            self._thread.join()

    def __enter__(self) -> MiniLMStudio:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()
