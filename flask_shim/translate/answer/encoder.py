"""The interface of the answer encoders, one per protocol, with what they share: whole answers, and two framings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import orjson

from flask_shim.errors import ShimError
from flask_shim.translate.answer.answer_reader import ANSWER_HEAD, THINKING_HEAD, Piece, RetractedText
from flask_shim.translate.answer.tool_calls import FinishedCall
from flask_shim.translate.answer.usage import Totals

NDJSON = "application/x-ndjson"
SSE = "text/event-stream"

EVENT = re.compile(rb".+?(?:(?:\n|\r\n|\r(?!\n)){2}|\Z)", re.S)
"""One event of an event stream, with its end."""

DATA = re.compile(rb"(?:^|[\r\n])data: ?([^\r\n]*)")
"""A line of an event's data."""


class FullAnswer:
    """The pieces of an answer joined, for one that is not streamed."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self.calls: list[FinishedCall] = []
        self.logprobs: list[dict[str, Any]] = []

    @property
    def text(self) -> str:
        """All text so far."""
        return "".join(self._texts)

    @property
    def thinking(self) -> str:
        """All thinking so far."""
        return "".join(self._thoughts)

    def add(self, pieces: Iterable[Piece]) -> None:
        """Add pieces in their order."""
        for piece in pieces:
            if isinstance(piece, RetractedText):  # the text so far was thinking
                thought, self._texts = self.text.rstrip(), []
                if piece.mode == "separate":
                    self._thoughts.append(thought)
                elif piece.mode == "merge":
                    self._texts.append(f"{THINKING_HEAD}{thought}{ANSWER_HEAD}")
                continue
            if piece.text:
                self._texts.append(piece.text)
            if piece.thinking:
                self._thoughts.append(piece.thinking)
            if piece.calls:
                self.calls.extend(piece.calls)
            if piece.logprobs:
                self.logprobs.extend(piece.logprobs)


class Encoder(Protocol):
    """Encodes one answer for one protocol: a stream by start, pieces and finish, or everything at once by full.

    ``now_ns`` is the time in Unix nanoseconds.
    """

    @property
    def media_type(self) -> str:
        """The media type of the stream: NDJSON or SSE."""

    def start(self) -> bytes:
        """Return what precedes the first piece, nothing by default."""
        return b""

    def pieces(self, pieces: Sequence[Piece], now_ns: int, /) -> bytes:
        """Return the lines or events of these pieces; text that was sent stays text if it is retracted later."""

    def heartbeat(self, now_ns: int, /) -> bytes:
        """Return a line or event without content, which clients ignore."""

    def finish(self, totals: Totals, now_ns: int, /) -> bytes:
        """Return what ends a complete stream."""

    def full(self, answer: FullAnswer, totals: Totals, now_ns: int, /) -> dict[str, Any]:
        """Return the body of an answer that is not streamed."""

    def error(self, error: ShimError) -> bytes:
        """Return the one line or event that ends a stream that failed."""


def ndjson_line(record: dict[str, Any]) -> bytes:
    """Return one line of NDJSON."""
    return orjson.dumps(record) + b"\n"


def named_event(data: dict[str, Any]) -> bytes:
    """Return one server-sent event, named by the ``type`` in its data."""
    return b"event: %b\ndata: %b\n\n" % (data["type"].encode(), orjson.dumps(data))
