"""HTTP/1.1 chunked framing (RFC 9112, section 7.1), removed from blocks that are cut anywhere.

urllib3 returns one chunk per read, and LM Studio sends a chunk per token. This decoder takes all chunks that have
arrived at once, so that a shim with many streams translates and sends them together when it is behind.
"""

from __future__ import annotations

from functools import lru_cache
from operator import eq
from typing import Literal

_MAX_LINE = 4096


class FramingError(ValueError):
    """The bytes are not valid chunked framing."""


class Dechunker:
    """Feed it blocks as they arrive; it returns the payload in them. ``is_done`` is true after the last chunk."""

    __slots__ = ("_left", "_state", "is_done", "rest")

    def __init__(self) -> None:
        self.is_done = False
        self.rest = b""
        """The bytes that were not used yet; after the last chunk, those that do not belong to the body."""
        self._left = 0  # bytes of the current chunk that are still to come
        self._state: Literal["size", "end of chunk", "trailer"] = "size"

    def feed(self, block: bytes) -> bytes:
        """Return the payload in ``block``; raise FramingError if it is not chunked framing."""
        if self._state == "size" and not self._left and not self.rest:
            lines = block.split(b"\r\n", 2)
            if len(lines) == 3 and not lines[2] and len(lines[1]) == _known_size(lines[0]):
                return lines[1]  # one whole chunk, as of a model's token
        block = self.rest + block
        parts: list[bytes] = []
        at = 0
        has_tried = False
        while not self.is_done:
            if self._state == "size" and not has_tried:
                has_tried = True  # each try looks at the whole block
                at = _take_whole_chunks(block, at, parts)
            if self._left:
                part = block[at : at + self._left]
                parts.append(part)
                at += len(part)
                self._left -= len(part)
            end = block.find(b"\n", at)
            if self._left or end < 0:
                break
            self._read_line(block[at:end].rstrip(b"\r"))
            at = end + 1
        self.rest = block[at:]
        if len(self.rest) > _MAX_LINE and not self.is_done:
            raise FramingError("a chunk-size line has no end")
        return b"".join(parts)

    def end(self) -> None:
        """Note the end of the connection: raise FramingError, since the last chunk is missing."""
        raise FramingError("the last chunk is missing")

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


def _take_whole_chunks(block: bytes, at: int, parts: list[bytes]) -> int:
    """Append the payloads of the chunks without line ends that follow each other; return where they end."""
    lines = block[at:].split(b"\r\n")
    payloads = lines[1:-1:2]
    is_whole = [*map(eq, map(_known_size, lines[::2]), map(len, payloads)), False]
    count = is_whole.index(False)
    parts += payloads[:count]
    return at + sum(map(len, lines[: 2 * count])) + 4 * count


def _size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    # int() alone accepts "+2", "-1", "0x2" and "1_0".
    if not digits or len(digits) > 15 or digits.strip(b"0123456789abcdefABCDEF"):
        raise FramingError("a chunk size is not a number")
    return int(digits, 16)


@lru_cache(maxsize=4096)  # tokens differ little in length
def _known_size(line: bytes) -> int:
    """Return the size of a chunk; -1 for the last chunk, and for anything else."""
    try:
        return _size(line) or -1
    except FramingError:
        return -1
