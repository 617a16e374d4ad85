"""A server that is as rude as a test wants it: a thread with a listening socket, given a function of a socket.

    with RudeServer(answering(head(200), b"{}")) as server:
        requests.get(server.url)
        assert server.requests[0].path == "/"

The function is called on a thread of its own for every connection; the connection ends when it returns.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

ACCEPT_SECONDS = 0.05
PATIENCE_SECONDS = 10.0

Behaviour = Callable[[socket.socket], None]


class Received(NamedTuple):
    """One request as it came; header names are lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)


class RudeServer:
    """Listens from the moment it exists until :meth:`stop`; a context manager."""

    def __init__(self, behave: Behaviour, port: int = 0) -> None:
        self.behave = behave
        self.connections = 0
        self.requests: list[Received] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.settimeout(ACCEPT_SECONDS)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._stopping = False
        self._acceptor = threading.Thread(target=self._accept, name="rude-server", daemon=True)
        self._acceptor.start()

    def __enter__(self) -> RudeServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def open_connections(self) -> int:
        """How many connections are being dealt with."""
        return len(self._open)

    def paths(self) -> list[str]:
        """Return the method and path of every request that was read, in order."""
        return [f"{request.method} {request.path}" for request in self.requests]

    def stop(self) -> None:
        """Hang up on everybody and end all threads."""
        self._stopping = True
        self._acceptor.join()
        self._listener.close()
        for sock in tuple(self._open):
            with contextlib.suppress(OSError):  # its thread closed it first
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    def _accept(self) -> None:
        while not self._stopping:
            try:
                sock, _ = self._listener.accept()
            except TimeoutError:
                continue
            sock.settimeout(PATIENCE_SECONDS)
            self.connections += 1
            self._open.add(sock)
            thread = threading.Thread(target=self._serve, args=(sock,), name="rude-connection", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        _RECEIVED.log = self.requests
        with sock, contextlib.suppress(OSError):  # who hangs up on us is what most tests are about
            self.behave(sock)
        self._open.discard(sock)


class _Received(threading.local):
    log: list[Received]


_RECEIVED = _Received()


def receive(sock: socket.socket) -> Received | None:
    """Read one request with its body and note it in ``server.requests``; None when the client has gone instead."""
    data = b""
    while b"\r\n\r\n" not in data:
        block = sock.recv(65536)
        if not block:
            return None
        data += block
    top, _, body = data.partition(b"\r\n\r\n")
    first, *lines = top.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    while len(body) < int(headers.get("content-length", 0)):
        body += sock.recv(65536)
    request = Received(method, path, headers, body)
    _RECEIVED.log.append(request)
    return request


def head(status: int = 200, content_type: str = "application/json", **headers: object) -> bytes:
    """Return the head of an answer; underscores in header names become dashes, None leaves a header out."""
    fields = {"Content-Type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in fields.items() if value is not None)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def whole(body: bytes | dict[str, Any] | list[Any], status: int = 200, **headers: object) -> bytes:
    """Return an answer with its length; anything but bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return head(status, **{"Content_Length": len(data), **headers}) + data


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body; an empty one ends it."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(payload: Any) -> bytes:
    """Return one server-sent event."""
    data = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
    return b"data: " + data + b"\n\n"


def delta(text: str = "", finish: str | None = None, **more: Any) -> dict[str, Any]:
    """Return one event of a chat stream."""
    change = {"content": text} if text else {}
    return {"choices": [{"index": 0, "delta": {**change, **more}, "finish_reason": finish}]}


SSE_HEAD = head(200, "text/event-stream", Transfer_Encoding="chunked")
SSE_UNTIL_CLOSED = head(200, "text/event-stream", Connection="close")


def answering(*blocks: bytes) -> Behaviour:
    """Read one request, send the blocks one by one, hang up."""

    def behave(sock: socket.socket) -> None:
        if receive(sock) is None:
            return
        for block in blocks:
            sock.sendall(block)

    return behave


def answering_each(answers: Callable[[Received], bytes]) -> Behaviour:
    """Answer every request on a connection that is kept, until the client closes it."""

    def behave(sock: socket.socket) -> None:
        while (request := receive(sock)) is not None:
            sock.sendall(answers(request))

    return behave


def silent(sock: socket.socket) -> None:
    """Read one request and say nothing until the client hangs up."""
    receive(sock)
    wait_for_hang_up(sock)


def stalling(*blocks: bytes) -> Behaviour:
    """Read one request, send the blocks, then say nothing until the client hangs up."""

    def behave(sock: socket.socket) -> None:
        receive(sock)
        for block in blocks:
            sock.sendall(block)
        wait_for_hang_up(sock)

    return behave


def resetting(sock: socket.socket) -> None:
    """Read one request and reset the connection."""
    receive(sock)
    reset(sock)


def reset(sock: socket.socket) -> None:
    """Close with RST instead of FIN."""
    form = "hh" if hasattr(socket, "SO_EXCLUSIVEADDRUSE") else "ii"  # Windows' struct linger is shorter
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(form, 1, 0))
    sock.close()


def wait_for_hang_up(sock: socket.socket) -> float:
    """Wait until the client closes the connection; return when it did, on the monotonic clock."""
    with contextlib.suppress(ConnectionError):  # RST is hanging up, too
        while sock.recv(65536):
            pass
    return time.monotonic()


def unused_port() -> int:
    """Return a port of this machine on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
