"""Read a socket, and let its call tick while nothing arrives.

``socket.makefile()`` cannot: its reader fails for good after the first timeout.
"""

from __future__ import annotations

import io
import socket
from typing import Any

from flask_shim.lmstudio.http.cancellation import BackendCall


class TickingReader(io.RawIOBase):
    """The raw file of a socket with a short timeout."""

    def __init__(self, sock: socket.socket, owner: io.BufferedReader, call: BackendCall) -> None:
        """``owner`` is a file of the socket, which keeps it open until this reader is closed."""
        self._sock = sock  # the name that socket.SocketIO uses, too
        self._owner = owner
        self._call = call

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Wait for bytes, at most until a tick that ends the read, which raises TimeoutError."""
        while True:
            try:
                return self._sock.recv_into(buffer)
            except TimeoutError:
                if not self._call.waits_on():
                    raise

    def close(self) -> None:
        """Close the file that keeps the socket open."""
        self._owner.close()
        super().close()
