"""LM Studio's events into pieces of an answer: text, thinking, tool calls; and what the final record counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import orjson

from flask_shim.lmstudio.completion_events import Choice, Event, Usage
from flask_shim.translate.answer.text_tool_calls import TextCalls, TrailingCalls
from flask_shim.translate.answer.thinking import Part, ThinkingSplitter
from flask_shim.translate.answer.tool_calls import CallAssembler, FinishedCall
from flask_shim.translate.answer.tool_schemas import Schemas, ToolSchemas

ReasoningMode = Literal["separate", "merge", "hide"]
"""Where thinking goes: its own field, in front of the text, or nowhere."""

THINKING_HEAD, ANSWER_HEAD = "**Reasoning:**\n", "\n\n**Answer:**\n"
"""What stands above each of the two where they are merged."""


class Piece(msgspec.Struct, gc=False):  # made for every token, and a dataclass takes twice as long
    """A stretch of the answer in one kind: only one of text, thinking and calls is given.

    ``logprobs`` (Ollama's shape) go with text.
    """

    text: str = ""
    thinking: str = ""
    calls: tuple[FinishedCall, ...] = ()
    logprobs: list[dict[str, Any]] | None = None


class RetractedText(Piece, kw_only=True, gc=False):
    """Says that all text so far was thinking: its closing tag came without an opening one.

    ``mode`` is where thinking should have gone.
    """

    mode: ReasoningMode


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderOptions:
    """How to read the events of one answer."""

    offered: Schemas = field(default_factory=dict)
    """The tools the client offered; calls written as text are only looked for when there are any."""
    mode: ReasoningMode = "separate"
    can_think: bool = True
    is_raw: bool = False
    """Whether the text is the answer as it stands, without a look for thinking and calls in it."""
    wants_json: bool = False
    new_id: Callable[[], str] = lambda: "call_0"


class AnswerReader:
    """Feed it the events of one answer. The counts and reasons are complete after :meth:`finish`."""

    def __init__(self, reading: ReaderOptions) -> None:
        """Start before the first event."""
        self.usage: Usage | None = None
        self.timings: dict[str, Any] | None = None
        self.finish_reason: str | None = None
        self.deltas = 0
        self._reading = reading
        self._calls = CallAssembler()
        self._splitter = ThinkingSplitter(with_orphans=reading.can_think)
        self._offered = ToolSchemas(reading.offered)
        self._text_calls = TextCalls(self._offered, reading.new_id) if reading.offered else None
        self._trailing_calls = TrailingCalls(self._offered, reading.new_id) if reading.offered else None
        self._thought: list[str] = []
        self._logprobs: list[dict[str, Any]] = []  # of text that is still held back
        self._has_text = False
        self._has_calls = False

    def feed(self, events: Iterable[Event]) -> list[Piece]:
        """Return the pieces that the events bring."""
        pieces: list[Piece] = []
        for event in events:
            if event.usage is not None:
                self.usage = event.usage
            if event.timings is not None:
                self.timings = event.timings
            if event.choices:
                self._choice(event.choices[0], pieces)
        return pieces

    def finish(self) -> list[Piece]:
        """Return what was held back, and the tool calls."""
        pieces: list[Piece] = []
        self._parts(self._splitter.flush(), pieces)
        if self._text_calls is not None:
            self._settled(*self._text_calls.flush(), pieces)
        if self._calls:
            was_cut = self.finish_reason == "length"
            calls = self._calls.finish(was_cut=was_cut, offered=self._offered, new_id=self._reading.new_id)
            self._settled("", calls, pieces)
        if self._trailing_calls is not None:
            thinking, calls = self._trailing_calls.flush()
            self._show_thinking(thinking, pieces)
            self._settled("", calls, pieces)
        if self._reading.wants_json and not self._has_text and not self._has_calls:
            self._rescue(pieces)
        if self._logprobs:
            pieces.append(Piece(logprobs=self._logprobs))
        return pieces

    @property
    def is_empty(self) -> bool:
        """Whether the answer brought neither text, thinking nor calls."""
        return self.deltas == 0

    def _choice(self, choice: Choice, pieces: list[Piece]) -> None:
        if choice.finish_reason:
            self.finish_reason = choice.finish_reason
        delta = choice.delta or choice.message
        source: Any = choice if delta is None else delta
        text = choice.text if delta is None else delta.content
        thinking = source.reasoning_content or source.reasoning
        before = len(pieces)
        if thinking:
            self.deltas += 1
            self._splitter.reasoned()
            self._thinking(thinking, pieces)
        if text:
            self.deltas += 1
            self._text(text, pieces)
        if choice.logprobs:
            self._logprobs += to_logprobs(choice.logprobs) or ()
        if self._logprobs and len(pieces) > before:
            pieces[before].logprobs, self._logprobs = self._logprobs, []
        if delta is not None and delta.tool_calls:
            self.deltas += not (text or thinking)
            for call in delta.tool_calls:
                self._calls.add(call)

    def _text(self, text: str, pieces: list[Piece]) -> None:
        if self._has_text and self._text_calls is None and self._splitter.passes(text):
            pieces.append(Piece(text))  # nearly every token
        elif self._reading.is_raw:
            self._settled(text, (), pieces)
        else:
            self._parts(self._splitter.feed(text), pieces)

    def _parts(self, parts: Iterable[Part], pieces: list[Piece]) -> None:
        for part in parts:
            if part.is_thinking:
                self._thinking(part.text, pieces)
            elif self._text_calls is None:
                self._settled(part.text, (), pieces)
            else:
                self._settled(*self._text_calls.feed(part.text), pieces)
            if part.orphan:
                pieces.append(RetractedText(mode=self._reading.mode))

    def _thinking(self, text: str, pieces: list[Piece]) -> None:
        self._show_thinking(text if self._trailing_calls is None else self._trailing_calls.feed(text), pieces)

    def _show_thinking(self, text: str, pieces: list[Piece]) -> None:
        if not text:
            return
        self._thought.append(text)
        if self._reading.mode == "separate":
            pieces.append(Piece(thinking=text))
        elif self._reading.mode == "merge":
            pieces.append(Piece(text if len(self._thought) > 1 else THINKING_HEAD + text))

    def _settled(self, text: str, calls: Sequence[FinishedCall], pieces: list[Piece]) -> None:
        if self._trailing_calls is not None and (text or calls):
            self._show_thinking(self._trailing_calls.release(), pieces)
        if text:
            if self._thought and not self._has_text and self._reading.mode == "merge":
                pieces.append(Piece(ANSWER_HEAD))
            self._has_text = True
            pieces.append(Piece(text))
        if calls:
            self._has_calls = True
            pieces.append(Piece(calls=tuple(calls)))

    def _rescue(self, pieces: list[Piece]) -> None:
        """Add the JSON that LM Studio's grammar forced into the thinking of a model that thinks."""
        thought = "".join(self._thought).strip()
        with suppress(orjson.JSONDecodeError):  # then it is thinking, and the answer stays empty
            orjson.loads(thought)
            pieces.append(Piece(thought))


def to_logprobs(value: Any) -> list[dict[str, Any]] | None:
    """Return OpenAI's ``logprobs`` of a choice in Ollama's shape, None when there are none."""
    entries = value.get("content") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        return None
    return [_entry(entry) for entry in entries if isinstance(entry, dict)] or None


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    shaped = _token(entry)
    top = entry.get("top_logprobs")
    if isinstance(top, list) and top:
        shaped["top_logprobs"] = [_token(other) for other in top if isinstance(other, dict)]
    return shaped


def _token(entry: dict[str, Any]) -> dict[str, Any]:
    token = str(entry.get("token", ""))
    shaped: dict[str, Any] = {"token": token, "logprob": entry.get("logprob", 0.0)}
    if token:
        shaped["bytes"] = entry.get("bytes") or list(token.encode("utf-8", "replace"))
    return shaped
