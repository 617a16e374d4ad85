"""HTTP/1.1 chunked framing (RFC 9112, section 7.1), removed from blocks that are cut anywhere.

urllib3 returns one chunk per read, and LM Studio sends a chunk per token. This decoder takes all chunks that have
arrived at once, so that a shim with many streams translates and sends them together when it is behind.
"""

from __future__ import annotations

from functools import lru_cache
from io import SEEK_CUR, BytesIO
from typing import Literal

_CRLF = b"\r\n"
_MAX_LINE = 4096


class FramingError(ValueError):
    """The bytes are not valid chunked framing."""


class Dechunker:
    """Feed it blocks as they arrive; it returns the payload in them. ``is_done`` is true after the last chunk."""

    __slots__ = ("_left", "_next", "is_done", "rest")

    def __init__(self) -> None:
        self.is_done = False
        self.rest = b""
        """The bytes that were not used yet; after the last chunk, those that do not belong to the body."""
        self._left = 0  # bytes of the current chunk that are still to come
        self._next: Literal["size", "end of chunk", "trailer"] = "size"  # what the next line is

    def feed(self, block: bytes) -> bytes:
        """Return the payload in ``block``; raise FramingError if it is not chunked framing."""
        stream = BytesIO(self.rest + block)
        read = stream.read
        parts = [read(self._left)]
        self._left -= len(parts[0])
        self.rest = b""
        for line in stream:
            if self._next == "size" and (size := _size(line)):
                parts.append(payload := read(size))
                if (end := read(2)) != _CRLF:  # as a rule, the block ends here
                    stream.seek(-len(end), SEEK_CUR)
                    self._left = size - len(payload)
                    self._next = "end of chunk"
            elif line.endswith(b"\n"):
                self._end_chunk_or_body(is_blank=not line.strip(_CRLF))
                if self.is_done:
                    self.rest = read()
            elif len(line) > _MAX_LINE:
                raise FramingError("a chunk-size line has no end")
            else:
                self.rest = line  # the next block has its end
        return b"".join(parts)

    def end(self) -> None:
        """Note the end of the connection: raise FramingError, since the last chunk is missing."""
        raise FramingError("the last chunk is missing")

    def _end_chunk_or_body(self, *, is_blank: bool) -> None:
        if self._next == "size":  # of the last chunk, 0
            self._next = "trailer"
        elif self._next == "trailer":
            self.is_done = is_blank  # the blank line after the trailers
        elif is_blank:
            self._next = "size"
        else:
            raise FramingError("a chunk is longer than its size")


@lru_cache(maxsize=512)  # tokens differ little in length
def _size(line: bytes) -> int:
    """Return the size in a line, 0 if the line is not complete yet."""
    if not line.endswith(b"\n"):
        return 0
    digits = line.partition(b";")[0].strip()
    # int() alone accepts "+2", "-1", "0x2" and "1_0".
    if not digits or len(digits) > 15 or digits.strip(b"0123456789abcdefABCDEF"):
        raise FramingError("a chunk size is not a number")
    return int(digits, 16)
