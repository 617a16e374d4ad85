"""HTTP/1.1 chunked framing (RFC 9112, section 7.1), removed from blocks that are cut anywhere.

urllib3 returns one chunk per read, and LM Studio sends a chunk per token. This decoder takes all chunks that have
arrived at once, so that a shim with many streams translates and sends them together when it is behind.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

_MAX_LINE = 4096


class FramingError(ValueError):
    """The bytes are not valid chunked framing."""


class Dechunker:
    """Feed it blocks as they arrive; it returns the payload in them. ``is_done`` is true after the last chunk."""

    __slots__ = ("_left", "_rest", "_state", "is_done")

    def __init__(self) -> None:
        self.is_done = False
        self._rest = b""
        self._left = 0  # bytes of the current chunk that are still to come
        self._state: Literal["size", "end of chunk", "trailer"] = "size"

    def feed(self, block: bytes) -> bytes:
        """Return the payload in ``block``; raise FramingError if it is not chunked framing."""
        block = self._rest + block
        parts: list[bytes] = []
        at = 0
        while not self.is_done:
            if self._left:
                part = block[at : at + self._left]
                parts.append(part)
                at += len(part)
                self._left -= len(part)
                if block.startswith(b"\r\n", at) and not self._left:
                    at += 2
                    self._state = "size"
            end = block.find(b"\n", at)
            if self._left or end < 0:
                break
            self._read_line(block[at:end].rstrip(b"\r"))
            at = end + 1
        self._rest = block[at:]
        if len(self._rest) > _MAX_LINE and not self.is_done:
            raise FramingError("a chunk-size line has no end")
        return b"".join(parts)

    def _read_line(self, line: bytes) -> None:
        if self._state == "size":
            self._left = _size(line)
            self._state = "end of chunk" if self._left else "trailer"
        elif self._state == "end of chunk":
            if line:
                raise FramingError("a chunk is longer than its size")
            self._state = "size"
        elif not line:  # the blank line after the trailers
            self.is_done = True


@lru_cache(maxsize=1024)  # tokens differ little in length
def _size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    # int() alone accepts "+2", "-1", "0x2" and "1_0".
    if not digits or len(digits) > 15 or digits.strip(b"0123456789abcdefABCDEF"):
        raise FramingError("a chunk size is not a number")
    return int(digits, 16)
