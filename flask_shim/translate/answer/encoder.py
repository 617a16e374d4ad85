"""The interface of the answer encoders, one per protocol, and the framing of the two kinds of streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import orjson

from flask_shim.errors import ShimError
from flask_shim.translate.answer.answer_reader import Piece
from flask_shim.translate.answer.full_answer import FullAnswer
from flask_shim.translate.answer.usage import Totals

NDJSON = "application/x-ndjson"
SSE = "text/event-stream"


class Encoder(Protocol):
    """Encodes one answer for one protocol: a stream by start, pieces and finish, or everything at once by full.

    ``now_ns`` is the time in Unix nanoseconds.
    """

    @property
    def media_type(self) -> str:
        """The media type of the stream: NDJSON or SSE."""

    def start(self) -> bytes:
        """Return what precedes the first piece."""
        return b""

    def pieces(self, pieces: Sequence[Piece], now_ns: int) -> bytes:
        """Return the lines or events of these pieces; text that was sent stays text if it is retracted later."""

    def finish(self, totals: Totals, now_ns: int) -> bytes:
        """Return what ends a complete stream."""

    def full(self, answer: FullAnswer, totals: Totals, now_ns: int) -> dict[str, Any]:
        """Return the body of an answer that is not streamed."""

    def error(self, error: ShimError) -> bytes:
        """Return the one line or event that ends a stream that failed."""


def ndjson_line(record: dict[str, Any]) -> bytes:
    """Return one line of NDJSON."""
    return orjson.dumps(record) + b"\n"


def named_event(data: dict[str, Any]) -> bytes:
    """Return one server-sent event, named by the ``type`` in its data."""
    return b"event: %b\ndata: %b\n\n" % (data["type"].encode(), orjson.dumps(data))
