"""The last event of a forwarded stream, which shows that the answer is complete, by the path of its request."""

from __future__ import annotations

import re
from typing import NamedTuple

COMPLETION_PATHS = ("/v1/chat/completions", "/v1/completions", "/api/v0/chat/completions", "/api/v0/completions")

ERROR_EVENT = re.compile(rb'event: ?error[\r\n]|data: ?\{\s*"error"\s*:(?!\s*null\b)')
"""The beginning of an error event."""

_SHORT = 4096
"""The last event of a completion is in the last bytes of what arrived together, at most so many."""


def lines_of(events: bytes) -> bytes:
    """Return the text in which the patterns find the lines of the events: each begins after a LF, also the first.

    A position in it is that of the next byte of the events. CR ends a line, too, with or without a LF.
    """
    return b"\n" + events.replace(b"\r", b"\n")


def line_start(start: bytes) -> re.Pattern[bytes]:
    """Compile a pattern for the start of a line, with the end of the line before."""
    return re.compile(rb"\n(?:%b)" % start)


class LastEvent(NamedTuple):
    """What a stream ends with."""

    pattern: re.Pattern[bytes]
    words: tuple[bytes, ...]
    """It has one of them. They are looked for first: a block of a fast stream has hundreds of events."""
    is_short: bool = False
    """Whether it fits in 4096 bytes; others repeat the whole answer."""

    def is_in(self, events: bytes) -> bool:
        """Return whether it is one of these events."""
        ending = events[-_SHORT:] if self.is_short else events
        return any(word in ending for word in self.words) and self.pattern.search(lines_of(events)) is not None


ERROR = LastEvent(line_start(ERROR_EVENT.pattern), (b"error",))

LAST_EVENTS = {
    **dict.fromkeys(
        COMPLETION_PATHS,
        LastEvent(line_start(rb"data: ?\[DONE\]|" + ERROR_EVENT.pattern), (b"[DONE]", b"error"), is_short=True),
    ),
    "/v1/responses": LastEvent(
        line_start(rb"event: ?(?:response\.(?:completed|incomplete|failed)|error)\n"),
        (b"response.completed", b"response.incomplete", b"response.failed", b"error"),
    ),
    "/v1/messages": LastEvent(line_start(rb"event: ?(?:message_stop|error)\n"), (b"message_stop", b"error")),
    "/api/v1/chat": LastEvent(line_start(rb"event: ?(?:chat\.end|error)\n"), (b"chat.end", b"error")),
}
"""The events without which a stream of these paths is not complete; on other paths, only an error ends it early."""
