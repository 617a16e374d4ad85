"""A chat for programs of their own: the answer as typed pieces, while it is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import orjson

from flask_shim.lmstudio.completion_events import STREAMED, Choice, Event, Usage
from flask_shim.lmstudio.http.event_stream import EventStream
from flask_shim.lmstudio.tool_call_deltas import PartialToolCall, ToolCallDeltas

Messages = str | Sequence[Mapping[str, Any]]
"""OpenAI's messages (``{"role": "user", "content": "Hello"}``), or the text of one message of the user."""


@dataclass(frozen=True, slots=True)
class Text:
    """A stretch of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A stretch of what the model thinks before it answers, where LM Studio tells the two apart."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A complete call of a tool. ``arguments`` is JSON as the model wrote it, which a "length" end may have cut."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class End:
    """The last piece: why the answer ended (OpenAI's word), and its counts of tokens, None if they are not told."""

    finish_reason: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


Piece = Text | Reasoning | ToolCall | End


class Chat:
    """An answer while it is made: an iterator over its pieces, and a context manager.

    Closing it, or leaving the ``with`` block, before the end makes LM Studio stop. It must be closed or read to the
    end. Iterating raises exceptions of :mod:`flask_shim.lmstudio.errors` if the answer is not completed.
    """

    def __init__(self, stream: EventStream, stack: ExitStack) -> None:
        """Take over an open stream, and all that must be released with it."""
        self.end: End | None = None
        self._owned = stack
        self._calls = ToolCallDeltas()
        self._finish_reason = "stop"
        self._usage: Usage | None = None
        self._pieces = self._read(stream)

    def __iter__(self) -> Iterator[Piece]:
        """Iterate over what is left."""
        return self

    def __next__(self) -> Piece:
        """Wait for the next piece and return it."""
        return next(self._pieces)

    def text(self) -> str:
        """Read to the end and return what is left of the answer, without reasoning and calls."""
        return "".join(piece.text for piece in self if isinstance(piece, Text))

    def close(self) -> None:
        """Give the answer up; safe to call twice. There are no pieces any more."""
        self._owned.close()
        self._pieces = iter(())

    def __enter__(self) -> Chat:
        """Close at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _read(self, stream: EventStream) -> Iterator[Piece]:
        with self._owned:
            for events in stream:
                for event in events:
                    yield from self._of(event)
            yield from map(_finished, self._calls)
            counts = (self._usage.prompt_tokens, self._usage.completion_tokens) if self._usage else (None, None)
            self.end = End(self._finish_reason, *counts)
            yield self.end

    def _of(self, event: Event) -> Iterator[Piece]:
        self._usage = event.usage or self._usage
        for choice in event.choices or ():
            self._finish_reason = choice.finish_reason or self._finish_reason
            yield from self._said(choice)

    def _said(self, choice: Choice) -> Iterator[Piece]:
        delta = choice.delta or choice.message
        if delta is None:
            return
        if reasoning := delta.reasoning_content or delta.reasoning:
            yield Reasoning(reasoning)
        if delta.content:
            yield Text(delta.content)
        for call in delta.tool_calls or ():
            self._calls.add(call)


def _finished(call: PartialToolCall) -> ToolCall:
    arguments = call.text if call.arguments is None else orjson.dumps(call.arguments).decode()
    return ToolCall(call.id, call.name, arguments)


def chat_payload(key: str, messages: Messages, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is sent for a chat; settings that are None are left to LM Studio."""
    return {
        **{name: value for name, value in settings.items() if value is not None},
        "model": key,
        "messages": [{"role": "user", "content": messages}] if isinstance(messages, str) else list(messages),
        **STREAMED,
    }
