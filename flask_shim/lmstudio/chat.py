"""A chat for users of the library: the answer as typed pieces, while it is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from typing import Any

import orjson

from flask_shim.lmstudio.completion_events import STREAMED, Usage
from flask_shim.lmstudio.http.response import EventStream
from flask_shim.lmstudio.tool_call_deltas import ToolCallDeltas

Messages = str | Sequence[Mapping[str, Any]]
"""OpenAI's messages (``{"role": "user", "content": "Hello"}``), or the text of one user message."""


@dataclass(frozen=True, slots=True)
class Text:
    """A part of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A part of the thinking before the answer, of models for which LM Studio separates it."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A complete tool call. ``arguments`` is the model's JSON text, incomplete if the answer ended with "length"."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class End:
    """The last piece: OpenAI's finish reason, and the token counts, None if LM Studio does not report them."""

    finish_reason: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


Piece = Text | Reasoning | ToolCall | End


class Chat:
    """An answer while it is made: an iterator over its pieces, and a context manager.

    It must be read to the end or closed; closing it before the end makes LM Studio stop generating. Iterating raises an
    exception of :mod:`flask_shim.lmstudio.errors` if the answer is not completed.
    """

    def __init__(self, stream: EventStream, stack: ExitStack) -> None:
        """Take over an open stream, and what must be released with it."""
        self.end: End | None = None
        self._stack = stack
        self._calls = ToolCallDeltas()
        self._pieces = self._read(stream)

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        """Wait for the next piece and return it."""
        return next(self._pieces)

    def text(self) -> str:
        """Read to the end and return the rest of the answer's text, without reasoning and calls."""
        return "".join(piece.text for piece in self if isinstance(piece, Text))

    def close(self) -> None:
        """Close the connection and drop the rest of the answer; safe to call twice."""
        self._stack.close()
        self._pieces = iter(())

    def __enter__(self) -> Chat:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, stream: EventStream) -> Iterator[Piece]:
        usage: Usage | None = None
        reason = "stop"
        with self._stack:
            for event in chain.from_iterable(stream):
                usage = event.usage or usage
                for choice in event.choices:
                    reason = choice.finish_reason or reason
                    if choice.thinking:
                        yield Reasoning(choice.thinking)
                    if choice.text:
                        yield Text(choice.text)
                    for delta in choice.tool_calls or ():
                        self._calls.add(delta)
            for call in self._calls:
                arguments = call.text if call.arguments is None else orjson.dumps(call.arguments).decode()
                yield ToolCall(call.id, call.name, arguments)
            self.end = End(reason, *((usage.prompt_tokens, usage.completion_tokens) if usage else ()))
            yield self.end


def chat_payload(key: str, messages: Messages, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the payload of a chat, without the settings that are None."""
    return {
        **{name: value for name, value in settings.items() if value is not None},
        "model": key,
        "messages": [{"role": "user", "content": messages}] if isinstance(messages, str) else list(messages),
        **STREAMED,
    }
