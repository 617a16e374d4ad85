"""A backend on socket level: a listening socket, and a function of every connection.

    with SocketServer(script) as backend:
        ...                              # point the shim at backend.url
        backend.until(lambda: backend.asked)
        assert backend.asked[0].json["model"] == "tiny"

A script gets a :class:`Peer` when a connection has been accepted, on a thread of its own; when it returns, the
connection is closed. Ready-made scripts are in ``support.answers``.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from flask_shim.lmstudio.http.socket_abort import abort_socket
from support.wine import SLOWNESS

DEADLINE_SECONDS = 10.0 * SLOWNESS


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
        self._pending = b""

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
        asked = ReceivedRequest(method, path, headers, head + b"\r\n\r\n", self._read_body(headers))
        with self._server.changed:
            self.is_idle = False
            self.asked.append(asked)
            self._server.asked.append(asked)
            self._server.changed.notify_all()
        return asked

    def send(self, data: bytes) -> None:
        """Send these bytes as they are."""
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
        taken, self._pending = self._pending[:size], self._pending[size:]
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


Script = Callable[[Peer], object]


class SocketServer:
    """Serves every connection with ``script``, which may be replaced at any time; a context manager.

    ``peers`` are all connections and ``asked`` all requests so far, the oldest first. ``backlog`` 0 and a script that
    never ends make connections time out.
    """

    def __init__(self, script: Script, *, host: str = "127.0.0.1", port: int = 0, backlog: int = 128) -> None:
        self.script = script
        self.peers: list[Peer] = []
        self.asked: list[ReceivedRequest] = []
        self.failures: list[Exception] = []
        self.changed = threading.Condition()
        self._listener = socket.create_server((host, port), backlog=backlog)
        self.host, self.port = self._listener.getsockname()[:2]
        self.url = f"http://{host}:{self.port}"
        self._threads = [threading.Thread(target=self._accept, name="socket_server", daemon=True)]
        self._threads[0].start()

    @property
    def connections(self) -> int:
        """How many connections there have been."""
        return len(self.peers)

    @property
    def open(self) -> int:
        """How many connections are open: neither has the script ended nor was the other side seen to close."""
        return sum(not peer.ended and peer.closed_at is None for peer in self.peers)

    @property
    def gone(self) -> list[Peer]:
        """The connections that the other side closed, as far as their scripts were there to notice."""
        return [peer for peer in self.peers if peer.closed_at is not None]

    def asked_for(self, path: str) -> list[ReceivedRequest]:
        """Return the requests for one path."""
        return [asked for asked in self.asked if asked.path == path]

    def until(self, is_so: Callable[[], object], seconds: float = DEADLINE_SECONDS) -> None:
        """Wait until ``is_so()`` is true of what came in; fail after a deadline."""
        with self.changed:
            assert self.changed.wait_for(is_so, seconds), f"did not happen within {seconds} s; asked: {self.asked}"

    def stop(self) -> None:
        """Close everything and end all threads; raise what went wrong in a script. Safe to call twice."""
        with contextlib.suppress(OSError):  # Linux wakes accept() by this, others by the close
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self.changed:
            peers, threads = list(self.peers), list(self._threads)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while any(thread.is_alive() for thread in threads) and time.monotonic() < deadline:
            for peer in peers:
                abort_socket(peer.sock)
            for thread in threads:
                thread.join(0.05)
        failures, self.failures = self.failures, []
        if failures:
            raise failures[0]

    def __enter__(self) -> SocketServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return  # stopped
            peer = Peer(sock, self)
            thread = threading.Thread(target=self._serve, args=(peer,), name="socket_server-peer", daemon=True)
            with self.changed:
                self.peers.append(peer)
                self._threads.append(thread)
                self.changed.notify_all()
            thread.start()

    def _serve(self, peer: Peer) -> None:
        try:
            self.script(peer)
        except PeerClosed:
            pass
        except Exception as exc:  # noqa: BLE001 - raised in the test by stop()
            self.failures.append(exc)
        finally:
            peer.sock.close()
            with self.changed:
                peer.ended = True
                self.changed.notify_all()
