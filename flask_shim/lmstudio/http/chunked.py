"""HTTP/1.1 chunked framing (RFC 9112, section 7.1), removed from blocks that are cut anywhere.

urllib3 returns one chunk per read, and LM Studio sends a chunk per token. This decoder takes all chunks that have
arrived at once, so that a shim with many streams translates and sends them together when it is behind.
"""

from __future__ import annotations

from typing import Literal

_MAX_LINE = 4096
_SHORT_LINE = 16


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
        if not self.rest and not self._left and self._state == "size" and (payload := _only_chunk(block)):
            return payload
        block = self.rest + block
        parts: list[bytes] = []
        at = 0
        while not self.is_done:
            if self._state == "size":
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


def _only_chunk(block: bytes) -> bytes:
    """Return the payload of a block that is one whole chunk, as of a model's token; b"" for any other block."""
    begin = block.find(b"\r\n", 0, _SHORT_LINE) + 2
    between = b"\r\n" + block[:begin]
    size = _KNOWN[between] if between in _KNOWN else _size_between(between)
    return block[begin:-2] if size and len(block) == begin + size + 2 and block.endswith(b"\r\n") else b""


def _take_whole_chunks(block: bytes, at: int, parts: list[bytes]) -> int:
    """Append the payloads of chunks that are whole in ``block``; return where the first other chunk begins.

    Their size lines are assumed to be as long as the first one, so that nothing is searched.
    """
    width = block.find(b"\r\n", at, at + _SHORT_LINE) + 2 - at
    between = b"\r\n" + block[at : at + width]
    while (size := _KNOWN[between] if between in _KNOWN else _size_between(between)) and at + width + size < len(block):
        begin = at + width
        stop = begin + size
        between = block[stop : stop + 2 + width]
        if between[:2] != b"\r\n":
            break
        parts.append(block[begin:stop])
        at = stop + 2
    return at


def _size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    # int() alone accepts "+2", "-1", "0x2" and "1_0".
    if not digits or len(digits) > 15 or digits.strip(b"0123456789abcdefABCDEF"):
        raise FramingError("a chunk size is not a number")
    return int(digits, 16)


_KNOWN = {b"\r\n": 0}
"""The results of :func:`_size_between`. There are few sizes, as tokens differ little in length."""

_MOST_KNOWN = 4096


def _size_between(text: bytes) -> int:
    """Return the size between two line ends; 0 for the last chunk, and for anything else."""
    if not (text.startswith(b"\r\n") and text.endswith(b"\r\n")):
        return 0
    try:
        size = _size(text[2:-2])
    except FramingError:
        return 0
    if len(_KNOWN) < _MOST_KNOWN:
        _KNOWN[text] = size
    return size
