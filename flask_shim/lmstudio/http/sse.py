r"""Split a byte stream into server-sent events, wherever its blocks are cut.

Of an event, only its data is kept, and whether its name is ``error``. ``\n``, ``\r\n`` and ``\r`` all end a line, and a
byte-order mark at the start is ignored. An event that ends within a character is complete only with the next one.
"""

from __future__ import annotations

import re

import orjson

from flask_shim.lmstudio.errors import BackendProtocolError
from flask_shim.lmstudio.http.surrogates import join_halves

_BOM = b"\xef\xbb\xbf"
_DATA = b"data: "
_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")

_EVENT = re.compile(rb".+?(?:\n\n|\r\n\r\n|\r\r|\Z)", re.S)
"""One event with its end."""


class _EventHolder:
    """Holds the beginning of an event until its end arrives."""

    __slots__ = ("_held", "_in_character", "_limit", "_size")

    def __init__(self, limit: int = 1 << 20) -> None:
        """Raise BackendProtocolError for an event of more than ``limit`` bytes."""
        self._held: list[bytes] = []  # joined only when the end arrives: linear time
        self._in_character: bytes | None = None  # an event that ends within a character
        self._limit = limit
        self._size = 0

    def _hold(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._limit:
            raise BackendProtocolError(f"LM Studio's answer is garbled: no event ended within {self._limit} bytes")
        if part:
            self._held.append(part)

    def _release(self, rest: bytes) -> bytes:
        """Return what is held, followed by ``rest``."""
        if not self._held:
            return rest
        whole = b"".join((*self._held, rest))
        self._held.clear()
        self._size = 0
        return whole


class SseSplitter(_EventHolder):
    """Receives blocks, and returns the data of each complete event, in order."""

    __slots__ = ("_ended_in_cr", "_fresh", "is_between_events")

    def __init__(self, limit: int = 1 << 20) -> None:
        super().__init__(limit)
        self.is_between_events = False
        """Whether the next block begins an event. The first one may begin with a byte-order mark."""
        self._fresh = True
        self._ended_in_cr = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the data of the events that ``chunk`` completes."""
        is_one_event = chunk.startswith(_DATA) and chunk.find(b"\n") + 2 == len(chunk) and chunk.endswith(b"\n\n")
        if is_one_event and b"\r" not in chunk and not _has_escapes(chunk) and self.is_between_events:
            return [chunk[len(_DATA) : -2]]  # as of a model's token
        if self._ended_in_cr or b"\r" in chunk:
            chunk = self._unify(chunk)
        if b"\n\n" not in chunk and not (chunk.startswith(b"\n") and self._held and self._held[-1].endswith(b"\n")):
            self._hold(chunk)  # no event can end here
            return []
        text = self._take(chunk)
        end = text.rfind(b"\n\n")
        payloads = _payloads(text[:end])
        if self._in_character is not None or _has_escapes(text):
            payloads, self._in_character = join_halves(self._in_character, payloads)
        self._hold(text[end + 2 :])
        return payloads

    def flush(self) -> list[bytes]:
        """Return the data of an event that was not terminated before the end of the stream."""
        return join_halves(self._in_character, _data(self._take(b"")), at_end=True)[0]

    def _take(self, chunk: bytes) -> bytes:
        chunk = self._release(chunk)
        if self._fresh and chunk:
            self._fresh = False
            chunk = chunk.removeprefix(_BOM)
        return chunk

    def _unify(self, chunk: bytes) -> bytes:
        """Return ``chunk`` with LF line ends; a CR ends a line at once, so that a LF after it is skipped."""
        if self._ended_in_cr and chunk:
            self._ended_in_cr = False
            chunk = chunk.removeprefix(b"\n")
        if chunk.endswith(b"\r"):
            self._ended_in_cr = True
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _hold(self, part: bytes) -> None:
        super()._hold(part)
        self.is_between_events = not (self._held or self._fresh or self._ended_in_cr or self._in_character)


class EventCutter(_EventHolder):
    """Receives blocks, and returns the same bytes cut at the ends of events, so that an error event can follow."""

    __slots__ = ("_last",)

    def __init__(self, limit: int = 1 << 20) -> None:
        super().__init__(limit)
        self._last = b""  # an end may fall between two chunks

    def feed(self, chunk: bytes) -> bytes:
        """Return the events that are complete with ``chunk``, b"" if there are none."""
        if not self._held and chunk.endswith(b"\n\n"):  # as nearly always
            self._last = chunk[-3:]
            events = chunk
        else:
            events = self._complete(chunk)
        if self._in_character is not None or _has_escapes(events):
            settled, self._in_character = join_halves(self._in_character, _EVENT.findall(events))
            return b"".join(settled)
        return events

    def flush(self) -> bytes:
        """Return the bytes after the last complete event."""
        rest = filter(None, [self._release(b"")])
        return b"".join(join_halves(self._in_character, rest, at_end=True)[0])

    def _complete(self, chunk: bytes) -> bytes:
        cut = _end_of_events(chunk) or max(0, _end_of_events(self._last + chunk[:3]) - len(self._last))
        self._last = chunk[-3:] if len(chunk) > 2 else (self._last + chunk)[-3:]
        if not cut:
            self._hold(chunk)
            return b""
        complete = self._release(chunk[:cut])
        self._hold(chunk[cut:])
        return complete


def _has_escapes(data: bytes) -> bool:
    r"""Return whether ``data`` has a ``\u``. CPython finds one byte about ten times as fast as two."""
    return b"\\" in data and b"\\u" in data


def _end_of_events(data: bytes) -> int:
    """Return the position after the last complete event, 0 without one."""
    ends = _ENDS if b"\r" in data else _ENDS[:1]  # searches without a match are slow
    return max((at + len(end) for end in ends if (at := data.rfind(end)) >= 0), default=0)


def _payloads(text: bytes) -> list[bytes]:
    """Return the data of the events in ``text``, which has no blank line at its end."""
    if text.startswith(_DATA):
        payloads = text[len(_DATA) :].split(b"\n\n" + _DATA)
        if text.count(b"\n") == 2 * (len(payloads) - 1):  # nothing but events of one line, as nearly always
            return payloads
    return [payload for event in text.split(b"\n\n") for payload in _data(event)]


def _data(event: bytes) -> list[bytes]:
    """Return the data of one event: nothing, one payload, or several if the backend left out the blank lines."""
    lines: list[bytes] = []
    name = b""
    for line in event.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            lines.append(value)
        elif field == b"event":
            name = value
    if not lines:  # llama-swap 2026 sends on an error of its server as it is
        return [event] if event.startswith(b'{"error"') else []
    if len(lines) > 1 and all((line.startswith(b"{") and line.endswith(b"}")) or line == b"[DONE]" for line in lines):
        return lines
    data = b"\n".join(lines)
    if name != b"error" or b'"error"' in data:
        return [data]
    try:
        error = orjson.loads(data)
    except orjson.JSONDecodeError:
        error = data.decode("utf-8", "replace")
    return [orjson.dumps({"error": error})]
