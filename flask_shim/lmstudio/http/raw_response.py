"""A response read from a socket: its head at once, its body as it arrives."""

from __future__ import annotations

import http.client
import socket
import ssl
import struct
import sys
from typing import Any

from flask_shim.lmstudio.http.cancellation import BackendCall
from flask_shim.lmstudio.http.chunked import Dechunker, FramingError
from flask_shim.lmstudio.http.heads import END_OF_HEAD, MAX_BYTES, MalformedHead, parse_head

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
        self._receive = sock.recv

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

    def close(self) -> None:
        """Close the connection; if the whole body was read, urllib3 has returned it to its pool."""
        self._raw.close()
        self._raw.release_conn()
