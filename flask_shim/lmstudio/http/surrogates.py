r"""Join characters whose halves came in two events.

LM Studio cuts texts between UTF-16 units, so a token may end within an emoji: one event then ends with ``\ud83d``, and
the next begins with ``\ude00``. Python cannot encode such halves, and Rust's serde_json rejects them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_FIRST, _SECOND = rb"\\u[dD][89abAB][0-9a-fA-F]{2}", rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_FIRST_AT_END = re.compile(rb'(?<!\\)(?:\\\\)*(%b)"' % _FIRST)
_SECOND_AT_START = re.compile(rb'(?<!\\)"(%b)' % _SECOND)
_ESCAPE = re.compile(rb"\\\\|%b%b|(%b|%b)" % (_FIRST, _SECOND, _FIRST, _SECOND))
"""Its group is half of a character without the other half."""


class SurrogateJoiner:
    """Receives events, as JSON with or without the fields around it, and returns them with whole characters only."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: bytes | None = None

    @property
    def is_holding(self) -> bool:
        """Whether the last event ended within a character, so that it waits for the next one."""
        return self._held is not None

    def feed(self, events: Iterable[bytes]) -> list[bytes]:
        """Return the events that are settled: those before one that ends within a character."""
        settled: list[bytes] = []
        for event in events:
            if self._held is not None:
                held, event = _join(self._held, event)
                settled.append(replace_halves(held))
            self._held = event if _FIRST_AT_END.search(event) else None
            if self._held is None:
                settled.append(replace_halves(event))
        return settled

    def flush(self) -> list[bytes]:
        """Return the event that waited, at the end of the stream."""
        held, self._held = self._held, None
        return [] if held is None else [replace_halves(held)]


def may_have_halves(data: bytes) -> bool:
    r"""Return whether ``data`` has a ``\u``. CPython finds one byte about ten times as fast as two."""
    return b"\\" in data and b"\\u" in data


def replace_halves(data: bytes) -> bytes:
    """Return JSON with U+FFFD for each half of a character, as Go reads it."""
    if not may_have_halves(data):
        return data
    return _ESCAPE.sub(lambda match: rb"\ufffd" if match[1] else match[0], data)


def _join(held: bytes, event: bytes) -> tuple[bytes, bytes]:
    """Move the first half to the event with the second half, if ``event`` has it."""
    first, second = _FIRST_AT_END.search(held), _SECOND_AT_START.search(event)
    if first is None or second is None:
        return held, event
    start, end = first.span(1)
    at = second.start(1)
    return held[:start] + held[end:], event[:at] + first[1] + event[at:]
