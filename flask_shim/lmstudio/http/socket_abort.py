"""End a blocking socket call of another thread."""

from __future__ import annotations

import socket
import sys
from contextlib import suppress

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _cancel_io_ex = ctypes.WinDLL("kernel32").CancelIoEx
    _cancel_io_ex.argtypes = (wintypes.HANDLE, wintypes.LPVOID)
    _cancel_io_ex.restype = wintypes.BOOL

    def _cancel_pending_io(sock: socket.socket) -> None:
        if (handle := sock.fileno()) != -1:
            _cancel_io_ex(handle, None)

else:

    def _cancel_pending_io(_: socket.socket) -> None:
        """Do nothing, since shutdown() ends the calls on POSIX."""


def abort_socket(sock: socket.socket) -> None:
    """Shut the connection down and end the ``recv`` or ``send`` that another thread is blocked in.

    On Windows, shutdown() does not end a call that already waits (cpython#91913), so a backend that never reads or
    answers would hold the thread forever. CancelIoEx does; .NET unblocks sockets with it, too (SafeSocketHandle). It
    affects only calls that are pending at that moment, so callers repeat this until the thread has returned.
    """
    # The plain socket's shutdown, also under TLS: SSLSocket.shutdown drops the TLS state that the reader is using.
    with suppress(OSError):  # the peer has already closed the connection; nothing waits
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    _cancel_pending_io(sock)
