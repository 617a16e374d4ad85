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


def join_halves(
    held: bytes | None, events: Iterable[bytes], *, at_end: bool = False
) -> tuple[list[bytes], bytes | None]:
    """Return ``events`` with whole characters only, and the last one if it ends within a character, None if not.

    Events are JSON, with or without the fields around it. ``held`` is what the call before returned as its last one.
    With ``at_end`` none is held.
    """
    settled: list[bytes] = []
    for event in events:
        if held is not None:
            held, event = _join(held, event)
            settled.append(replace_halves(held))
        held = event if _FIRST_AT_END.search(event) else None
        if held is None:
            settled.append(replace_halves(event))
    if at_end and held is not None:
        return [*settled, replace_halves(held)], None
    return settled, held


def replace_halves(data: bytes) -> bytes:
    """Return JSON with U+FFFD for each half of a character, as Go reads it."""
    if b"\\u" not in data:
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
