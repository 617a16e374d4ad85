"""Encoders for /api/chat and /api/generate.

The constant parts of a stream's lines are encoded once; a token costs one JSON string and one concatenation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any

import orjson

from flask_shim.errors import ShimError
from flask_shim.translate.answer.answer_reader import Piece, RetractedText
from flask_shim.translate.answer.encoder import NDJSON, Encoder, FullAnswer, ndjson_line
from flask_shim.translate.answer.tool_calls import FinishedCall
from flask_shim.translate.answer.usage import Totals
from flask_shim.translate.error_messages import ollama_message

ToContext = Callable[[str], tuple[int, ...]]
"""Returns the ``context`` after an answer."""


class OllamaEncoder(Encoder, ABC):
    """Encodes what is common to both routes."""

    media_type = NDJSON
    before_text: bytes
    after_text: bytes

    def __init__(self, model: str) -> None:
        """``model`` is the name as the client wrote it."""
        self._model = model
        self._head = b'{"model":' + orjson.dumps(model) + b',"created_at":"'

    @abstractmethod
    def _content(self, part: Piece | FullAnswer) -> dict[str, Any]:
        """Return the members that stand before ``done``."""

    def _extras(self, part: Piece | FullAnswer) -> dict[str, Any]:
        """Return the members that stand behind ``done``."""
        return {"logprobs": part.logprobs} if part.logprobs else {}

    def _record(self, part: Piece | FullAnswer, created_at: str, done_reason: str = "") -> dict[str, Any]:
        record = {"model": self._model, "created_at": created_at, **self._content(part), "done": bool(done_reason)}
        return {**record, "done_reason": done_reason} if done_reason else record

    def pieces(self, pieces: Sequence[Piece], now_ns: int, /) -> bytes:
        """Return a line for each piece."""
        created_at = to_utc(now_ns)
        head = self._head + created_at.encode() + self.before_text
        end = self.after_text
        return b"".join(
            [
                head + orjson.dumps(piece.text) + end
                if piece.text and not piece.logprobs
                else ndjson_line({**self._record(piece, created_at), **self._extras(piece)})
                for piece in pieces
                if not isinstance(piece, RetractedText)
            ]
        )

    def heartbeat(self, now_ns: int, /) -> bytes:
        """Return a line without text: clients know it from thinking and tool calls, but fail at a blank line."""
        return self.pieces([Piece()], now_ns)

    def finish(self, totals: Totals, now_ns: int, /) -> bytes:
        """Return the last line, with the counts."""
        return ndjson_line(self.full(FullAnswer(), totals, now_ns))

    def empty(self, done_reason: str, now_ns: int) -> dict[str, Any]:
        """Return a finished record without text, which is the answer to a load or an unload."""
        return self._record(Piece(), to_utc(now_ns), done_reason)

    def error(self, error: ShimError) -> bytes:
        """Return the line that ends a stream that failed."""
        return ndjson_line({"error": ollama_message(error)})


class ChatEncoder(OllamaEncoder):
    """The records of /api/chat. ``content`` is a string in all of them."""

    before_text = b'","message":{"role":"assistant","content":'
    after_text = b'},"done":false}\n'

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self._calls = 0

    def full(self, answer: FullAnswer, totals: Totals, now_ns: int, /) -> dict[str, Any]:
        """Return the answer as one record."""
        record = self._record(answer, to_utc(now_ns), _done_reason(totals))
        return {**record, **self._extras(answer), **_metrics(totals)}

    def _content(self, part: Piece | FullAnswer) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": part.text}
        if part.thinking:
            message["thinking"] = part.thinking
        if part.calls:
            message["tool_calls"] = to_tool_calls(part.calls, self._calls)
            self._calls += len(part.calls)
        return {"message": message}


class GenerateEncoder(OllamaEncoder):
    """The records of /api/generate. ``response`` is in all of them, ``context`` in the last one."""

    before_text = b'","response":'
    after_text = b',"done":false}\n'

    def __init__(self, model: str, to_context: ToContext = lambda _: ()) -> None:
        """Leave an empty context out."""
        super().__init__(model)
        self._to_context = to_context
        self._texts: list[str] = []

    def pieces(self, pieces: Sequence[Piece], now_ns: int, /) -> bytes:
        """Return a line for each piece, and keep the text for the context."""
        self._texts += [piece.text for piece in pieces]
        return super().pieces(pieces, now_ns)

    def full(self, answer: FullAnswer, totals: Totals, now_ns: int, /) -> dict[str, Any]:
        """Return the answer as one record."""
        record = self._record(answer, to_utc(now_ns), _done_reason(totals))
        if context := self._to_context("".join(self._texts) + answer.text):
            record["context"] = context
        return {**record, **_metrics(totals), **self._extras(answer)}

    def _content(self, part: Piece | FullAnswer) -> dict[str, Any]:
        return {"response": part.text, **({"thinking": part.thinking} if part.thinking else {})}

    def _extras(self, part: Piece | FullAnswer) -> dict[str, Any]:
        return {**({"tool_calls": to_tool_calls(part.calls)} if part.calls else {}), **super()._extras(part)}


def to_tool_calls(calls: Iterable[FinishedCall], first: int = 0) -> list[dict[str, Any]]:
    """Return calls as Ollama has them: arguments as an object, no type, numbered from ``first``."""
    return [
        {"id": call.id, "function": {"index": index, "name": call.name, "arguments": call.arguments}}
        for index, call in enumerate(calls, first)
    ]


def _done_reason(totals: Totals) -> str:
    """Return "stop" for tool calls, too, as Ollama does."""
    return "length" if totals.finish_reason == "length" else "stop"


def _metrics(totals: Totals) -> dict[str, int]:
    """Return counts and durations in Ollama's order, without zeros, as Go's ``omitempty`` leaves them out.

    The cached count is a pointer in Ollama: 0 says that nothing was reused, and unknown is left out (ollama#16916).
    """
    metrics = {
        "total_duration": totals.total_ns or None,
        "load_duration": totals.load_ns or None,
        "prompt_eval_count": totals.prompt_tokens or None,
        "prompt_eval_cached_count": totals.cached_tokens,
        "prompt_eval_duration": totals.prompt_ns or None,
        "eval_count": totals.completion_tokens or None,
        "eval_duration": totals.completion_ns or None,
    }
    return {name: value for name, value in metrics.items() if value is not None}


def to_utc(nanoseconds: int) -> str:
    """Return nanoseconds since 1970 as Go prints them in ``created_at``: RFC 3339 in UTC, always with a fraction."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{_timestamp(seconds)}.{f'{rest:09d}'.rstrip('0') or '0'}Z"


@lru_cache(maxsize=8)
def _timestamp(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%S}"
