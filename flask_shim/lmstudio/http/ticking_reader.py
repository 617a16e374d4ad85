"""Read a socket, and let its call tick while nothing arrives.

``socket.makefile()`` cannot: its reader fails for good after the first timeout.
"""

from __future__ import annotations

import io
import socket
import ssl
import struct
import sys
from typing import Any

from flask_shim.lmstudio.http.cancellation import BackendCall

TIMED_OUT = (TimeoutError, BlockingIOError)
"""What a read raises after the time set with :func:`limit_waiting`."""


def limit_waiting(sock: socket.socket, seconds: float | None) -> None:
    """Let each read of ``sock`` wait at most ``seconds``, None: without limit.

    The kernel's own limit costs nothing, whereas Python's polls before every read. OpenSSL would ignore the kernel's,
    and Windows documents a socket as unusable after it (SO_RCVTIMEO).
    """
    if sys.platform == "win32" or isinstance(sock, ssl.SSLSocket):
        sock.settimeout(seconds)
    else:
        whole, fraction = divmod(seconds or 0.0, 1.0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(whole), int(fraction * 1e6)))


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
        """Wait for bytes, at most until a tick that ends the read, which raises one of ``TIMED_OUT``."""
        while True:
            try:
                return self._sock.recv_into(buffer)
            except TIMED_OUT:
                if not self._call.waits_on():
                    raise

    def close(self) -> None:
        """Close the file that keeps the socket open."""
        self._owner.close()
        super().close()
