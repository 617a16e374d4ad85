"""Pieces of an answer as Ollama's records: NDJSON lines while it streams, one object at the end. Pure.

What is the same in every line of a stream is encoded once; a token costs one JSON string and one concatenation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Protocol

import orjson

from flask_shim.translate.answer.answer_reader import (
    ANSWER_HEAD,
    THINKING_HEAD,
    Piece,
    ReasoningMode,
    RetractedText,
)
from flask_shim.translate.answer.tool_calls import FinishedCall
from flask_shim.translate.answer.usage import Totals


class RecordEncoder(Protocol):
    """The shape that a route's records have."""

    def lines(self, pieces: Iterable[Piece], created_at: str) -> bytes:
        """Return an NDJSON line for each piece, one after the other."""

    def last_line(self, totals: Totals, created_at: str) -> bytes:
        """Return the line that ends a stream."""

    def whole(self, answer: WholeAnswer, totals: Totals, created_at: str) -> dict[str, Any]:
        """Return the one object of an answer that is not streamed."""

    def bare(self, done_reason: str, created_at: str) -> dict[str, Any]:
        """Return the object that answers a load or an unload."""


class WholeAnswer:
    """The pieces of an answer added up."""

    def __init__(self) -> None:
        """Start empty."""
        self.texts: list[str] = []
        self.thoughts: list[str] = []
        self.calls: list[FinishedCall] = []
        self.logprobs: list[dict[str, Any]] = []

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.texts)

    @property
    def thinking(self) -> str:
        """The whole thinking."""
        return "".join(self.thoughts)

    def add(self, pieces: Iterable[Piece]) -> None:
        """Add pieces in their order."""
        for piece in pieces:
            if isinstance(piece, RetractedText):
                self._take_back(piece.mode)
                continue
            self.texts.append(piece.text)
            self.thoughts.append(piece.thinking)
            self.calls.extend(piece.calls)
            self.logprobs.extend(piece.logprobs or ())

    def _take_back(self, mode: ReasoningMode) -> None:
        """Put the text so far where thinking belongs."""
        thought, self.texts = self.text.rstrip(), []
        if mode == "separate":
            self.thoughts.append(thought)
        elif mode == "merge":
            self.texts.append(f"{THINKING_HEAD}{thought}{ANSWER_HEAD}")


def to_tool_calls(calls: Iterable[FinishedCall], first: int = 0) -> list[dict[str, Any]]:
    """Return calls as Ollama has them: arguments as an object, no type, numbered from ``first``."""
    return [
        {"id": call.id, "function": {"index": index, "name": call.name, "arguments": call.arguments}}
        for index, call in enumerate(calls, first)
    ]


class _Lines(ABC):
    """Lines of which nearly all differ in nothing but the moment and the text."""

    before_text: bytes
    after_text: bytes

    def __init__(self, model: str) -> None:
        """``model`` is the name as the client wrote it."""
        self._model = model
        self._head = b'{"model":' + orjson.dumps(model) + b',"created_at":"'

    def lines(self, pieces: Iterable[Piece], created_at: str) -> bytes:
        """Return an NDJSON line for each piece, one after the other."""
        head = self._head + created_at.encode() + self.before_text
        end = self.after_text
        return b"".join(
            [
                head + orjson.dumps(piece.text) + end
                if piece.text and not piece.logprobs
                else self._rare_line(piece, created_at)
                for piece in pieces
            ]
        )

    def _rare_line(self, piece: Piece, created_at: str) -> bytes:
        if isinstance(piece, RetractedText):
            return b""  # what was sent cannot be taken back
        return orjson.dumps(self._record(piece, created_at)) + b"\n"

    @abstractmethod
    def _record(self, piece: Piece, created_at: str) -> dict[str, Any]:
        """Return the whole record of a piece of any kind."""


class ChatEncoder(_Lines):
    """Records of /api/chat; content is a string in every one of them."""

    before_text = b'","message":{"role":"assistant","content":'
    after_text = b'},"done":false}\n'

    def __init__(self, model: str) -> None:
        """``model`` is the name as the client wrote it."""
        super().__init__(model)
        self._calls = 0

    def _record(self, piece: Piece, created_at: str) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": piece.text}
        if piece.thinking:
            message["thinking"] = piece.thinking
        if piece.calls:
            message["tool_calls"] = to_tool_calls(piece.calls, self._calls)
            self._calls += len(piece.calls)
        record = {"model": self._model, "created_at": created_at, "message": message, "done": False}
        if piece.logprobs:
            record["logprobs"] = piece.logprobs
        return record

    def last_line(self, totals: Totals, created_at: str) -> bytes:
        """Return the line that ends a stream."""
        return orjson.dumps({**self.bare(totals.done_reason, created_at), **totals.metrics()}) + b"\n"

    def whole(self, answer: WholeAnswer, totals: Totals, created_at: str) -> dict[str, Any]:
        """Return the answer in one object."""
        record = self.bare(totals.done_reason, created_at)
        message = record["message"]
        message["content"] = answer.text
        if answer.thinking:
            message["thinking"] = answer.thinking
        if answer.calls:
            message["tool_calls"] = to_tool_calls(answer.calls)
        if answer.logprobs:
            record["logprobs"] = answer.logprobs
        return {**record, **totals.metrics()}

    def bare(self, done_reason: str, created_at: str) -> dict[str, Any]:
        """Return a finished record without text."""
        return {
            "model": self._model,
            "created_at": created_at,
            "message": {"role": "assistant", "content": ""},
            "done": True,
            "done_reason": done_reason,
        }


class GenerateEncoder(_Lines):
    """Records of /api/generate; ``response`` is present in every one of them."""

    before_text = b'","response":'
    after_text = b',"done":false}\n'

    def _record(self, piece: Piece, created_at: str) -> dict[str, Any]:
        record: dict[str, Any] = {"model": self._model, "created_at": created_at, "response": piece.text}
        if piece.thinking:
            record["thinking"] = piece.thinking
        record["done"] = False
        if piece.calls:
            record["tool_calls"] = to_tool_calls(piece.calls)
        if piece.logprobs:
            record["logprobs"] = piece.logprobs
        return record

    def last_line(self, totals: Totals, created_at: str) -> bytes:
        """Return the line that ends a stream."""
        return orjson.dumps(self.whole(WholeAnswer(), totals, created_at)) + b"\n"

    def whole(self, answer: WholeAnswer, totals: Totals, created_at: str) -> dict[str, Any]:
        """Return the answer in one object."""
        record: dict[str, Any] = {"model": self._model, "created_at": created_at, "response": answer.text}
        if answer.thinking:
            record["thinking"] = answer.thinking
        record |= {"done": True, "done_reason": totals.done_reason}
        if totals.context:
            record["context"] = totals.context
        record |= totals.metrics()
        if answer.calls:
            record["tool_calls"] = to_tool_calls(answer.calls)
        if answer.logprobs:
            record["logprobs"] = answer.logprobs
        return record

    def bare(self, done_reason: str, created_at: str) -> dict[str, Any]:
        """Return a finished record without text."""
        return {
            "model": self._model,
            "created_at": created_at,
            "response": "",
            "done": True,
            "done_reason": done_reason,
        }
