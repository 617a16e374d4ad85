"""A socket for which another thread may wait, so that its reads do not."""

from __future__ import annotations

import socket
import sys

if sys.platform == "win32":
    _DONT_WAIT = 0
else:
    _DONT_WAIT = socket.MSG_DONTWAIT


class PolledSocket:
    """While it is polled, one read receives each time it is ready; others end as after a time-out (BlockingIOError)."""

    __slots__ = ("_recv", "descriptor", "is_awaited", "is_polled", "is_ready")

    def __init__(self, sock: socket.socket) -> None:
        """Read from ``sock``, and wait for it until it is polled."""
        self.descriptor = sock.fileno()
        self.is_polled = False
        """Whether another thread waits."""
        self.is_ready = True
        """Whether the next read may receive; the other thread sets it."""
        self.is_awaited = False
        """Whether a read could not receive, so that its thread cannot go on before the socket is ready."""
        self._recv = sock.recv

    def receive(self, size: int) -> bytes:
        """Receive at most ``size`` bytes."""
        if not self.is_polled:
            return self._recv(size)
        is_ready, self.is_ready = self.is_ready, False
        try:
            if not is_ready:
                raise BlockingIOError
            return self._recv(size, _DONT_WAIT)
        except BlockingIOError:
            self.is_awaited = True
            raise
