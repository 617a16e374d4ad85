"""Run a miniature LM Studio on a port of this machine."""

from __future__ import annotations

import select
import socket
import sys
import threading
from types import TracebackType
from typing import Any

from waitress.server import create_server

from flask_shim.embedded.mini_app import create_miniature
from flask_shim.embedded.mini_services import Asked, MiniServices
from flask_shim.embedded.mini_settings import DEFAULTS, MiniSettings
from flask_shim.serving._waitress import shut_down

HOST = "127.0.0.1"
THREADS = 32
CONNECTIONS = 500
STOP_SECONDS = 5.0


def _open_listener(port: int) -> socket.socket:
    """Bind here and not in waitress, which leaves sockets open when the port is taken."""
    listener = socket.socket()
    try:
        if sys.platform == "win32":
            # Two programs may share a port there if one of them doesn't say no.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        raise
    return listener


class MiniLMStudio:
    """A miniature LM Studio that answers from the moment it exists until :meth:`stop`; a context manager.

    ``port`` 0 takes a free one; ``OSError`` if the given one is taken. Only this machine can reach it.
    """

    def __init__(self, settings: MiniSettings = DEFAULTS, *, port: int = 0) -> None:
        """Start to serve on a thread of its own."""
        self.app = create_miniature(settings)
        self.studio: MiniServices = self.app.extensions["miniature"]
        try:
            listener = _open_listener(port)
        except OSError:
            self.studio.close()
            raise
        self.port = int(listener.getsockname()[1])
        self.url = f"http://{HOST}:{self.port}"
        # Any: create_server promises less than the one-socket server it gives.
        self._server: Any = create_server(
            self.app,
            sockets=[listener],
            threads=THREADS,
            connection_limit=CONNECTIONS,
            # Without it a disconnect before the first token is not noticed.
            channel_request_lookahead=1,
            asyncore_use_poll=hasattr(select, "poll"),
            ident=None,
        )
        self._thread = threading.Thread(target=self._server.run, name="miniature", daemon=True)
        self._thread.start()

    @property
    def journal(self) -> list[Asked]:
        """What was asked so far, the oldest first, as far as ``journal_length`` reaches back."""
        return list(self.studio.journal)

    @property
    def open_generations(self) -> int:
        """How many requests an engine is working on, or has waiting."""
        return self.studio.residents.open_generations

    def stop(self) -> None:
        """End the engines, what is still running on them, and the server; safe to call twice."""
        self.studio.close()
        if self._thread.is_alive():
            shut_down([self._server], seconds=STOP_SECONDS)
            self._thread.join()

    def __enter__(self) -> MiniLMStudio:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()
