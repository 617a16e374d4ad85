"""One connection of a scripted server, and the requests that come in on it."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.socket_server import SocketServer

_LOOK_SECONDS = 0.02


class PeerClosed(Exception):
    """The other side has closed the connection (or the server is being stopped): the script ends here."""


@dataclass(frozen=True)
class ReceivedRequest:
    """One request as it came in; ``head`` ends with the empty line, names in ``headers`` are lower case."""

    method: str
    path: str
    headers: dict[str, str]
    head: bytes
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def json(self):
        """The decoded body, None without one."""
        return json.loads(self.body) if self.body else None


class Peer:
    """One accepted connection in the hands of a script. What goes wrong with it raises :class:`PeerClosed`."""

    def __init__(self, sock: socket.socket, server: SocketServer) -> None:
        self.sock = sock
        self.closed_at: float | None = None
        """When the other side was seen to have closed, None while it has not."""
        self.asked: list[ReceivedRequest] = []
        self.ended = False
        self.is_idle = True
        """Whether it waits for a request."""
        self._server = server
        self._pending = bytearray()  # bytes would be copied with every block of a large body

    def read(self) -> ReceivedRequest:
        """Wait for one request and return it, with its whole body."""
        with self._server.changed:
            self.is_idle = True
            self._server.changed.notify_all()
        while b"\r\n\r\n" not in self._pending:
            self._receive()
        head, _, self._pending = self._pending.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        asked = ReceivedRequest(method, path, headers, bytes(head) + b"\r\n\r\n", self._read_body(headers))
        with self._server.changed:
            self.is_idle = False
            self.asked.append(asked)
            self._server.asked.append(asked)
            self._server.changed.notify_all()
        return asked

    def send(self, data: bytes) -> None:
        """Send these bytes as they are; while the server is frozen, wait with them."""
        while not self._server.is_running:
            self.pause(_LOOK_SECONDS)
        with self._noticing():
            self.sock.sendall(data)

    def head(self, status: str = "200 OK", **headers: object) -> None:
        """Send a response head; ``content_type="text/html"`` becomes ``Content-Type: text/html``."""
        lines = [f"{name.replace('_', '-').title()}: {value}\r\n" for name, value in headers.items()]
        self.send(f"HTTP/1.1 {status}\r\n{''.join(lines)}\r\n".encode("latin-1"))

    def chunk(self, data: bytes) -> None:
        """Send one chunk of a chunked body; an empty one ends it."""
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def drip(self, data: bytes, seconds: float) -> None:
        """Send byte by byte with a pause after each."""
        for position in range(len(data)):
            self.send(data[position : position + 1])
            self.pause(seconds)

    def pause(self, seconds: float) -> None:
        """Stay silent for a time, or until the other side closes, which raises :class:`PeerClosed` at once."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                self._receive(left)
            except TimeoutError:
                return

    def hold(self) -> None:
        """Stay silent until the other side closes."""
        self.pause(3600.0)

    def reset(self) -> None:
        """Break the connection off, so that the other side gets an error instead of an end."""
        form = "hh" if sys.platform == "win32" else "ii"  # the structure is shorter there
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(form, 1, 0))
        self.sock.close()

    def _read_body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            return self._read_chunks()
        return self._take(int(headers.get("content-length", "0")))

    def _read_chunks(self) -> bytes:
        body, size = b"", -1
        while size:
            while b"\r\n" not in self._pending:
                self._receive()
            line, _, self._pending = self._pending.partition(b"\r\n")
            size = int(line, 16)
            body += self._take(size + 2)[:size]
        return body

    def _take(self, size: int) -> bytes:
        while len(self._pending) < size:
            self._receive()
        taken = bytes(self._pending[:size])
        del self._pending[:size]
        return taken

    def _receive(self, seconds: float | None = None) -> None:
        with self._noticing():
            self.sock.settimeout(seconds)
            data = self.sock.recv(65536)
            self.sock.settimeout(None)
            if not data:
                raise ConnectionResetError
        self._pending += data

    @contextlib.contextmanager
    def _noticing(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            self.sock.settimeout(None)
            raise
        except OSError as exc:
            with self._server.changed:
                self.closed_at = self.closed_at or time.monotonic()
                self._server.changed.notify_all()
            raise PeerClosed from exc
