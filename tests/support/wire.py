"""One connection to the shim in the hands of a test, with all the manners that no HTTP library has."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import sys
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from support.wine import SLOWNESS

DEADLINE_SECONDS = 10.0 * SLOWNESS


class Answer(NamedTuple):
    """A response. ``is_whole``: the body ended as its framing announces."""

    status: int
    headers: dict[str, str]
    body: bytes
    is_whole: bool

    @property
    def lines(self) -> list[Any]:
        """The lines of a stream, or the one object."""
        return [json.loads(line) for line in self.body.splitlines()]

    @property
    def json(self) -> Any:
        """The body as the one JSON value it is."""
        return json.loads(self.body)


class Wire:
    """A socket connected to ``port``; a context manager that closes it.

    With ``receive_bytes`` the system buffers about that much of what comes, and no more.
    """

    def __init__(self, port: int, *, receive_bytes: int = 0) -> None:
        self.sock = socket.socket()
        if receive_bytes:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.sock.settimeout(DEADLINE_SECONDS)
        self.sock.connect(("127.0.0.1", port))
        self.received = b""

    def send(self, data: bytes) -> None:
        """Send these bytes as they are."""
        self.sock.sendall(data)

    def ask(self, path: str, body: Any = None, **more: Any) -> None:
        """Send a request made by :func:`request`."""
        self.send(request(path, body, **more))

    def drip(self, data: bytes, seconds: float) -> None:
        """Send byte by byte, with a pause after each."""
        for position in range(len(data)):
            self.send(data[position : position + 1])
            time.sleep(seconds)

    def until(self, mark: bytes) -> bytes:
        """Read until ``mark`` has come; return all that came so far."""
        while mark not in self.received:
            block = self.sock.recv(65536)
            assert block, f"closed before {mark!r} came: {self.received!r}"
            self.received += block
        return self.received

    def rest(self) -> bytes:
        """Read to the end of the connection; return all that ever came. A reset is an end, too."""
        with contextlib.suppress(ConnectionResetError):
            while block := self.sock.recv(65536):
                self.received += block
        return self.received

    def answer(self) -> Answer:
        """Read to the end of the connection and return the answer."""
        return answer_in(self.rest())

    def is_closed(self, seconds: float = DEADLINE_SECONDS) -> bool:
        """Tell whether the other side closes within that time; what comes meanwhile is kept."""
        self.sock.settimeout(seconds)
        try:
            self.rest()
        except TimeoutError:
            return False
        return True

    def half_close(self) -> None:
        """Say that nothing more will be sent, and stay to listen."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Break the connection off."""
        form = "hh" if sys.platform == "win32" else "ii"  # the structure is shorter there
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(form, 1, 0))
        self.sock.close()

    def close(self) -> None:
        """Close; safe to call twice."""
        self.sock.close()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def request(
    path: str,
    body: Any = None,
    *,
    method: str = "",
    protocol: str = "HTTP/1.1",
    headers: Mapping[str, str] | None = None,
    closes: bool = True,
) -> bytes:
    """Return the bytes of a request: with a ``body`` (bytes, or anything for JSON) a POST, else a GET."""
    payload = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    own = {"Host": "localhost"} | ({"Connection": "close"} if closes else {})
    if body is not None:
        own["Content-Length"] = str(len(payload))
    lines = [f"{name}: {value}" for name, value in {**own, **(headers or {})}.items()]
    first = f"{method or ('GET' if body is None else 'POST')} {path} {protocol}"
    return "\r\n".join([first, *lines, "", ""]).encode("latin-1") + payload


def send_request(port: int, path: str, body: Any = None, **more: Any) -> Answer:
    """Send one request on a connection of its own and return the answer."""
    with Wire(port) as wire:
        wire.ask(path, body, **more)
        return wire.answer()


def answer_in(raw: bytes) -> Answer:
    """Return the answer that these bytes are, whole or not; the first one, if there are several."""
    head, end, rest = raw.partition(b"\r\n\r\n")
    assert end, f"no answer: {raw[:300]!r}"
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body, is_whole = _unchunked(rest)
    else:
        length = int(headers.get("content-length", len(rest)))
        body, is_whole = rest[:length], len(rest) >= length
    return Answer(int(first.split(" ")[1]), headers, body, is_whole)


def _unchunked(raw: bytes) -> tuple[bytes, bool]:
    body = b""
    while True:
        size, end, raw = raw.partition(b"\r\n")
        if not end:
            return body, False
        length = int(size, 16)
        if not length:
            return body, raw == b"\r\n"
        body += raw[:length]
        if raw[length : length + 2] != b"\r\n":
            return body, False
        raw = raw[length + 2 :]
