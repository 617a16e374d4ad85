r"""Server-sent events out of a byte stream, however the chunks fall. Pure: bytes in, payloads out.

Only what a backend needs is kept of an event: its data, and whether it was named ``error``. Comments, ids and other
names are dropped, ``\n``, ``\\r\\n`` and ``\\r`` all end a line, a byte-order mark at the start is ignored.
"""

from __future__ import annotations

_BOM = b"\xef\xbb\xbf"


class LineTooLong(ValueError):
    """More bytes than allowed arrived without an event ending."""


class SseSplitter:
    """Feed it chunks; it returns the data of each complete event, in order."""

    __slots__ = ("_fresh", "_limit", "_parts", "_size")

    def __init__(self, limit: int = 1 << 20) -> None:
        """Refuse an event of more than ``limit`` bytes."""
        self._limit = limit
        self._fresh = True
        self._parts: list[bytes] = []  # an event's beginning, joined only when its end arrives: linear time
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the data of the events that ``chunk`` completes."""
        if b"\n\n" not in chunk and b"\r" not in chunk and not chunk.startswith(b"\n"):
            self._hold(chunk)  # no event can end here
            return []
        text = self._take(chunk)
        if b"\r" in text:
            text = self._unify(text)
        end = text.rfind(b"\n\n")
        if end < 0:
            self._hold(text)
            return []
        if end + 2 < len(text):
            self._hold(text[end + 2 :])
            text = text[:end]
        else:
            text = text[:-2]
        payloads: list[bytes] = []
        for event in text.split(b"\n\n"):
            if event.startswith(b"data: ") and b"\n" not in event:  # nearly all of them
                payloads.append(event[6:])
            else:
                payloads.extend(_data(event))
        return payloads

    def flush(self) -> list[bytes]:
        """Return the data of an event that the end of the stream cut off; the caller decides whether it is whole."""
        text = self._take(b"").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return _data(text)

    def _take(self, chunk: bytes) -> bytes:
        if self._parts:
            self._parts.append(chunk)
            chunk = b"".join(self._parts)
            self._parts.clear()
            self._size = 0
        if self._fresh and chunk:
            self._fresh = False
            chunk = chunk.removeprefix(_BOM)
        return chunk

    def _unify(self, text: bytes) -> bytes:
        held = b""
        if text.endswith(b"\r"):  # perhaps the first half of \r\n
            text, held = text[:-1], b"\r"
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if held and text.endswith(b"\n"):
            # Whichever half it is, the line is empty and the event over; a lone \n that follows is harmless.
            return text + b"\n"
        return text + held

    def _hold(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._limit:
            raise LineTooLong(f"no event ended within {self._limit} bytes")
        if part:
            self._parts.append(part)


def _data(event: bytes) -> list[bytes]:
    """Return the data of one event: nothing, one payload, or several where the backend forgot the blank lines."""
    lines: list[bytes] = []
    name = b""
    for line in event.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            lines.append(value)
        elif field == b"event":
            name = value
    if not lines:
        return []
    if len(lines) > 1 and all((line.startswith(b"{") and line.endswith(b"}")) or line == b"[DONE]" for line in lines):
        return lines
    data = b"\n".join(lines)
    if name == b"error" and b'"error"' not in data:
        return [b'{"error":' + data + b"}"]
    return [data]
