"""One request of the load client and the answer to it, looked at no closer than needed."""

from __future__ import annotations

import re
import socket

from tests.benchmarks import wire

_TAIL_BYTES = 1024
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.I)
_CLOSES = re.compile(rb"\r\nconnection: *close", re.I)
_LAST_CHUNK = b"\r\n0\r\n\r\n"


class Asking:
    """A connection with the request that is on it."""

    __slots__ = (
        "_body_left",
        "_cut",
        "_head",
        "_in_body",
        "_tail",
        "asked_ns",
        "closes",
        "first_ns",
        "sock",
        "tokens",
    )

    def __init__(self, sock: socket.socket) -> None:
        """Take a connected socket; nothing is asked yet."""
        self.sock = sock
        self.begin(0)

    def begin(self, asked_ns: int) -> None:
        """Forget the last answer; the next was asked for at ``asked_ns``."""
        self.asked_ns = asked_ns
        self.first_ns = 0
        self.tokens = 0
        self.closes = False
        self._in_body = False
        self._head = self._tail = self._cut = b""
        self._body_left: int | None = None  # None: the end shows in the bytes

    def body_of(self, block: bytes) -> bytes:
        """Return what of ``block`` belongs to the body."""
        if not self._in_body:
            self._head, end, block = (self._head + block).partition(b"\r\n\r\n")
            if not end:
                return b""
            self._begin_body()
        if self._body_left is not None:
            self._body_left -= len(block)
        self._tail = block[-_TAIL_BYTES:] if len(block) >= _TAIL_BYTES else (self._tail + block)[-_TAIL_BYTES:]
        return block

    def stamps_in(self, body: bytes) -> list[int]:
        """Return the moments of sending in ``body``, which may have been cut anywhere."""
        text = self._cut + body
        open_at = text.rfind(wire.MARK)
        self._cut = text[open_at:] if open_at >= 0 and b";" not in text[open_at:] else b""
        return [int(digits) for digits in wire.STAMP.findall(text)]

    @property
    def is_complete(self) -> bool:
        """Tell whether the answer has ended, as far as its bytes can tell."""
        if not self._in_body:
            return False
        return self._body_left == 0 if self._body_left is not None else self._tail.endswith(_LAST_CHUNK)

    def fault(self, tokens: int, end: bytes) -> str:
        """Say what is wrong with a complete answer; empty when it has ``tokens`` tokens and ``end`` at its end."""
        status = self._head[9:12].decode("latin-1")
        if status != "200":
            return f"status {status or 'missing'}"
        if self.tokens != tokens:
            return "tokens missing" if self.tokens < tokens else "too many tokens"
        return "" if end in self._tail else "no end mark"

    def _begin_body(self) -> None:
        self._in_body = True
        length = _LENGTH.search(self._head)
        self._body_left = int(length[1]) if length else None
        self.closes = bool(_CLOSES.search(self._head)) or (length is None and not _CHUNKED.search(self._head))
