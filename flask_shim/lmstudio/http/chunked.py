"""HTTP/1.1 chunked framing taken off incrementally, whatever way the bytes happen to be cut.

urllib3's public reader does the same, at about 10 µs a chunk; LM Studio sends a chunk per token, so that would be
most of the shim's work. This one takes everything a read has brought at once.
"""

from __future__ import annotations

_MAX_LINE = 4096
_SHORT_LINE = 16


class FramingError(ValueError):
    """The bytes are not valid chunked framing."""


class Dechunker:
    """Feed it what arrives; it returns the payload bytes in it. ``done`` is true after the terminating chunk."""

    __slots__ = ("_left", "_rest", "_step", "done")

    def __init__(self) -> None:
        """Start before the first chunk-size line."""
        self.done = False
        self._rest = b""
        self._left = 0  # payload bytes of the current chunk still to come
        self._step = "size"

    def feed(self, block: bytes) -> bytes:
        """Return the payload in ``block``; raise :class:`FramingError` when it is not chunked framing."""
        if self._rest:
            block = self._rest + block
            self._rest = b""
        parts: list[bytes] = []
        at = 0
        while at < len(block) and not self.done:
            if self._step == "size":
                at = _whole_chunks(block, at, parts)
            if self._step == "data":
                part = block[at : at + self._left]
                parts.append(part)
                at += len(part)
                self._left -= len(part)
                if not self._left:
                    self._step = "end of chunk"
                continue
            end = block.find(b"\n", at)
            if end < 0:
                self._keep(block[at:])
                break
            self._line(block[at:end].rstrip(b"\r"))
            at = end + 1
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _keep(self, rest: bytes) -> None:
        if len(rest) > _MAX_LINE:
            raise FramingError("a chunk-size line has no end")
        self._rest = rest

    def _line(self, line: bytes) -> None:
        if self._step == "end of chunk":
            if line:
                raise FramingError("a chunk is longer than its size says")
            self._step = "size"
        elif self._step == "size":
            self._left = _size(line)
            self._step = "data" if self._left else "trailer"
        elif not line:  # the blank line after the trailers
            self.done = True


def _whole_chunks(block: bytes, at: int, parts: list[bytes]) -> int:
    """Take the chunks that lie in ``block`` as a whole, nearly all; return where the first other one begins.

    Their size lines are taken to be as long as the first one's, so that nothing has to be searched.
    """
    width = block.find(b"\r\n", at, at + _SHORT_LINE) + 2 - at
    size = _size_between(b"\r\n" + block[at : at + width])
    while size:
        begin = at + width
        stop = begin + size
        between = block[stop : stop + 2 + width]
        size = _KNOWN.get(between) or _size_between(between)
        if not size and between[:2] != b"\r\n":
            break
        parts.append(block[begin:stop])
        at = stop + 2
    return at


def _size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    # int() alone would take "+2", "-1", "0x2" and "1_0"
    if not digits or len(digits) > 15 or digits.strip(b"0123456789abcdefABCDEF"):
        raise FramingError("a chunk size is not a number")
    return int(digits, 16)


_KNOWN: dict[bytes, int] = {}
"""What was found by :func:`_size_between`: sizes are few, for tokens differ little in length."""

_MOST_KNOWN = 4096


def _size_between(text: bytes) -> int:
    """Return the size that stands between two line ends; 0 for the last chunk, and for what is no such text."""
    if not (text.startswith(b"\r\n") and text.endswith(b"\r\n")):
        return 0
    try:
        size = _size(text[2:-2])
    except FramingError:
        return 0
    if len(_KNOWN) < _MOST_KNOWN:
        _KNOWN[text] = size
    return size
