"""Server-sent events with names, as Responses and Messages stream them, and what both tell at the end. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

import orjson

from flask_shim.translate.answer.answer_reader import Piece
from flask_shim.translate.ollama.records import WholeAnswer


class Ending(NamedTuple):
    """How an answer ended. Counts are tokens; ``finish_reason`` is OpenAI's word, None where the backend gave none."""

    input_tokens: int = 0
    output_tokens: int = 0
    finish_reason: str | None = None


class NamedEventEncoder(Protocol):
    """An answer in the shape of one protocol. ``now`` is in Unix seconds."""

    def opening(self) -> bytes:
        """Return the events before the first piece."""

    def encode(self, pieces: Iterable[Piece]) -> bytes:
        """Return the events that these pieces make."""

    def closing(self, ending: Ending, now: int) -> bytes:
        """Return the events that end the stream."""

    def whole(self, answer: WholeAnswer, ending: Ending, now: int) -> dict[str, Any]:
        """Return the one object of an answer that is not streamed."""


def named_event(data: dict[str, Any]) -> bytes:
    """Return one event; its name is the ``type`` in its data."""
    return b"event: %b\ndata: %b\n\n" % (data["type"].encode(), orjson.dumps(data))
