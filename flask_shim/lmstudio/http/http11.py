"""HTTP/1.1 on a socket (RFC 9112): the head of a request, the head and the body of a response.

A response is read as it arrives. Whatever is ambiguous about where it ends is an error.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import struct
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from flask_shim.lmstudio.http.cancellation import BackendCall
from flask_shim.lmstudio.http.chunked import Dechunker, FramingError
from flask_shim.lmstudio.http.polled_socket import PolledSocket

MAX_BYTES = 65_536
MAX_HEADERS = 100

END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE = re.compile(r"HTTP/1\.(\d) ([1-9]\d\d)(?: [^\0\r\n]*)?\r?")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\0\r\n]*)\r?")
_FOLD = re.compile(r"\r?\n[ \t]+")
_LENGTH = re.compile(r"(\d{1,18})(?:\s*,\s*\1)*")
"""Servers may repeat the length, as in ``5, 5`` (RFC 9110, section 8.6)."""

TIMED_OUT = (TimeoutError, BlockingIOError)
"""What a read raises after the time set with :func:`limit_waiting`."""


class MalformedHead(http.client.HTTPException):
    """The bytes are not the head of a response."""


class ResponseHead(NamedTuple):
    """What a response says before its body."""

    status: int
    headers: Mapping[str, str]
    """By name, written as in ``Content-Type``; the values of a repeated header are joined by commas."""
    keeps_alive: bool
    """Whether the connection may be used for another request after the body."""
    is_chunked: bool
    length: int | None
    """The size of the body; None if it is chunked or ends when the connection is closed."""


def format_head(method: str, url: str, host: str, headers: Mapping[str, str]) -> bytes:
    """Return the head of a request, which ends with the blank line."""
    lines = [f"{method} {url} HTTP/1.1", f"Host: {host}", *[f"{name}: {value}" for name, value in headers.items()]]
    head = "\r\n".join(lines)
    if head.count("\r") != len(lines) - 1 or head.count("\n") != len(lines) - 1:
        raise ValueError("a header contains a line end")
    return head.encode("latin-1") + b"\r\n\r\n"


@lru_cache(maxsize=64)  # LM Studio's differ in their dates only, from second to second
def parse_head(head: bytes, method: str) -> ResponseHead:
    """Return the parsed head of the response to a request with ``method``; ``head`` ends before the blank line."""
    status_line, *lines = _FOLD.sub(" ", head.decode("latin-1")).split("\n")
    start = _STATUS_LINE.fullmatch(status_line)
    if start is None:
        raise MalformedHead("the response does not begin with a status line of HTTP/1.x")
    if len(lines) > MAX_HEADERS:
        raise MalformedHead(f"the response has more than {MAX_HEADERS} headers")
    headers: dict[str, str] = {}
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            raise MalformedHead("a header of the response is malformed")
        name, value = header[1].title(), header[2].rstrip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    connection = headers.get("Connection", "").lower()
    keeps_alive = "keep-alive" in connection if start[1] == "0" else "close" not in connection
    return _with_framing(ResponseHead(int(start[2]), headers, keeps_alive, is_chunked=False, length=None), method)


def _with_framing(head: ResponseHead, method: str) -> ResponseHead:
    """Return ``head`` with what determines the end of the body (RFC 9112, section 6.3)."""
    coding, length = head.headers.get("Transfer-Encoding"), head.headers.get("Content-Length")
    if method == "HEAD" or head.status < 200 or head.status in (204, 304):
        return head._replace(length=0)
    if coding is not None:
        if coding.lower() != "chunked":
            raise MalformedHead("the response has a transfer coding other than chunked")
        # Another program on the way may have believed the length.
        return head._replace(is_chunked=True, keeps_alive=head.keeps_alive and length is None)
    if length is None:
        return head._replace(keeps_alive=False)
    size = _LENGTH.fullmatch(length)
    if size is None:
        raise MalformedHead("the response has no valid Content-Length")
    return head._replace(length=int(size[1]))


def limit_waiting(sock: socket.socket, seconds: float | None) -> None:
    """Let each read of ``sock`` wait at most ``seconds``, None: without limit.

    The kernel's own limit costs nothing, whereas Python's polls before every read. OpenSSL would ignore the kernel's,
    and Windows documents a socket as unusable after it (SO_RCVTIMEO).
    """
    if sys.platform == "win32" or isinstance(sock, ssl.SSLSocket):
        sock.settimeout(seconds)
    else:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval(seconds))


def timeval(seconds: float | None) -> bytes:
    """Return the value of the socket options SO_RCVTIMEO and SO_SNDTIMEO on POSIX; None is without limit."""
    whole, fraction = divmod(seconds or 0.0, 1.0)
    return struct.pack("ll", int(whole), int(fraction * 1e6))


class Unframed:
    """A body of ``length`` bytes (None: until the connection is closed), with the interface of :class:`Dechunker`."""

    __slots__ = ("_left", "is_done", "rest")

    def __init__(self, length: int | None) -> None:
        self.is_done = length == 0
        self.rest = b""
        self._left = length

    def feed(self, block: bytes) -> bytes:
        """Return the part of ``block`` that belongs to the body."""
        if self._left is None:
            return block
        payload, self.rest = block[: self._left], block[self._left :]
        self._left -= len(payload)
        self.is_done = not self._left
        return payload

    def end(self) -> None:
        """Note the end of the connection; raise FramingError if bytes are missing."""
        if self._left is not None:
            raise FramingError("the body is shorter than its length")
        self.is_done = True


class RawResponse:
    """The response to the request that was sent on a socket."""

    read_size = MAX_BYTES
    """How much of the body to receive at once."""

    def __init__(self, sock: socket.socket, method: str, call: BackendCall | None) -> None:
        """Receive the head, ticking if ``call`` does; raise MalformedHead if the response has none."""
        self._sock = sock
        self._received = b""
        head = parse_head(self._receive_head(call), method)
        while head.status < 200:  # an interim response (RFC 9110, section 15.2)
            head = parse_head(self._receive_head(call), method)
        self.status = head.status
        self.headers = head.headers
        self._keeps_alive = head.keeps_alive
        self._framing = Dechunker() if head.is_chunked else Unframed(head.length)
        self._receive: Callable[[int], bytes] = sock.recv

    def read(self) -> bytes:
        """Return what has arrived of the body, after waiting for at least one byte; b"" at its end."""
        framing = self._framing
        while not framing.is_done:
            block = self._take_received() if self._received else self._receive(self.read_size)
            if not block:
                framing.end()
            elif payload := framing.feed(block):
                return payload
        return b""

    def to_poll(self) -> PolledSocket | None:
        """Read through a socket for which another thread may wait; return it.

        None under TLS, which may hold bytes that the socket no longer shows, and on Windows, which can't poll many.
        """
        if sys.platform == "win32" or isinstance(self._sock, ssl.SSLSocket):
            return None
        polled = PolledSocket(self._sock)
        self._receive = polled.receive
        return polled

    @property
    def is_reusable(self) -> bool:
        """Whether another request may be sent on the socket: the body was read, and nothing came after it."""
        framing = self._framing
        return self._keeps_alive and framing.is_done and not framing.rest and not self._received

    def _receive_head(self, call: BackendCall | None) -> bytes:
        received = self._received
        while (end := END_OF_HEAD.search(received)) is None and len(received) <= MAX_BYTES:
            try:
                block = self._sock.recv(MAX_BYTES)
            except TIMED_OUT:
                if call is None or not call.tick():
                    raise
                continue
            if not block and not received:
                raise http.client.RemoteDisconnected("the connection was closed without a response")
            if not block:
                raise MalformedHead("the connection was closed within the head of the response")
            received += block
        if end is None or end.start() > MAX_BYTES:
            raise MalformedHead(f"the head of the response is longer than {MAX_BYTES} bytes")
        self._received = received[end.end() :]
        return received[: end.start()]

    def _take_received(self) -> bytes:
        """Return the beginning of the body, which arrived with the head."""
        block, self._received = self._received[: self.read_size], self._received[self.read_size :]
        return block


class UrllibBody:
    """The body of a response that urllib3 received, as with a Session of the user."""

    read_size = MAX_BYTES

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def read(self) -> bytes:
        """Return what has arrived, after waiting for at least one byte; b"" at the end."""
        return bytes(self._raw.read1(self.read_size, decode_content=False))

    def to_poll(self) -> PolledSocket | None:
        """Return None: only urllib3 knows what it has read ahead."""
        return None

    def close(self) -> None:
        """Close the connection; if the whole body was read, urllib3 has returned it to its pool."""
        self._raw.close()
        self._raw.release_conn()
