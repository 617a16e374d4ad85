"""Read LM Studio's events into pieces of an answer (text, thinking, tool calls), counts and reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from flask_shim.lmstudio.completion_events import Choice, Event, Usage
from flask_shim.translate.answer.text_tool_calls import Stretch, TextCalls, TrailingCalls
from flask_shim.translate.answer.thinking import Part, ThinkingSplitter
from flask_shim.translate.answer.tool_calls import CallAssembler, FinishedCall
from flask_shim.translate.answer.tool_schemas import Schemas, ToolSchemas

ReasoningMode = Literal["separate", "merge", "hide"]
"""Where thinking goes: its own field, in front of the text, or nowhere."""

THINKING_HEAD, ANSWER_HEAD = "**Reasoning:**\n", "\n\n**Answer:**\n"
"""The headings of the two where they are merged."""


@dataclass(slots=True)
class Piece:
    """A stretch of the answer: one of text, thinking and calls. ``logprobs`` are in Ollama's shape."""

    text: str = ""
    thinking: str = ""
    calls: tuple[FinishedCall, ...] = ()
    logprobs: list[dict[str, Any]] | None = None


@dataclass(slots=True, kw_only=True)
class RetractedText(Piece):
    """All text so far was thinking: its closing tag came without an opening one. ``mode`` says where it should go."""

    mode: ReasoningMode


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderOptions:
    """How to read the events of one answer."""

    offered: Schemas = field(default_factory=dict)
    """The tools the client offered. Without any, no calls are looked for in the text."""
    mode: ReasoningMode = "separate"
    can_think: bool = True
    is_raw: bool = False
    """Whether not to search the text for thinking and calls."""
    wants_json: bool = False
    new_id: Callable[[], str] = lambda: "call_0"


class AnswerReader:
    """Reads the events of one answer. The counts and reasons are complete after :meth:`finish`."""

    def __init__(self, options: ReaderOptions) -> None:
        self.usage: Usage | None = None
        self.timings: dict[str, Any] | None = None
        self.finish_reason: str | None = None
        self.deltas = 0
        self.nameless_calls = 0
        self._options = options
        self._calls: CallAssembler | None = None  # until the first fragment of one
        self._splitter = ThinkingSplitter(with_orphans=options.can_think)
        self._text_calls = self._thinking_calls = None
        if options.offered:
            offered = ToolSchemas(options.offered)
            self._text_calls = TextCalls(offered, options.new_id)
            self._thinking_calls = TrailingCalls(TextCalls(offered, options.new_id))
        self._thought: list[str] = []
        self._logprobs: list[dict[str, Any]] = []  # of text that is still held back
        self._has_text = False
        self._has_calls = False
        self._follows_call = False

    def feed(self, events: Iterable[Event]) -> list[Piece]:
        """Return the pieces in the events."""
        pieces: list[Piece] = []
        for event in events:
            if event.usage is not None:
                self.usage = event.usage
            if event.timings is not None:
                self.timings = event.timings
            if event.choices:
                self._read_choice(event.choices[0], pieces)
        return pieces

    def finish(self) -> list[Piece]:
        """Return what was held back, and the tool calls."""
        pieces: list[Piece] = []
        self._read_parts(self._splitter.flush(), pieces)
        if self._text_calls is not None:
            self._read_stretches(self._text_calls.flush(), pieces)
        self._finish_thinking(pieces, may_call=not self._calls)
        if self._calls:
            self.nameless_calls = sum(not call.name for call in self._calls)
            was_cut = self.finish_reason == "length"
            offered = ToolSchemas(self._options.offered)
            calls = self._calls.finish(was_cut=was_cut, offered=offered, new_id=self._options.new_id)
            self._add_calls(calls, pieces)
        if self._options.wants_json and not self._has_text and not self._has_calls:
            # LM Studio's grammar forces the JSON of a model that thinks into its thinking.
            thought = "".join(self._thought).strip()
            with suppress(orjson.JSONDecodeError):  # not JSON: the answer stays empty
                orjson.loads(thought)
                pieces.append(Piece(thought))
        if self._logprobs:
            pieces.append(Piece(logprobs=self._logprobs))
        return pieces

    def _read_choice(self, choice: Choice, pieces: list[Piece]) -> None:
        if choice.finish_reason:
            self.finish_reason = choice.finish_reason
        text, thinking = choice.text, choice.thinking
        before = len(pieces)
        if thinking:
            self.deltas += choice.deltas
            self._splitter.skip_thinking()
            self._read_thinking(thinking, pieces)
        if text:
            self.deltas += choice.deltas
            self._read_text(text, pieces)
        if choice.logprobs:
            self._logprobs += to_logprobs(choice.logprobs) or ()
        if self._logprobs and len(pieces) > before:
            pieces[before].logprobs, self._logprobs = self._logprobs, []
        if choice.tool_calls:
            self.deltas += not (text or thinking)
            self._calls = self._calls or CallAssembler()
            for call in choice.tool_calls:
                self._calls.add(call)

    def _read_text(self, text: str, pieces: list[Piece]) -> None:
        if self._has_text and self._text_calls is None and self._splitter.passes(text):
            pieces.append(Piece(text))  # nearly every token
        elif self._options.is_raw:
            self._add_text(text, pieces)
        else:
            self._read_parts(self._splitter.feed(text), pieces)

    def _read_parts(self, parts: Iterable[Part], pieces: list[Piece]) -> None:
        for part in parts:
            if part.is_thinking:
                self._read_thinking(part.text, pieces)
            elif self._text_calls is None:
                self._add_text(part.text, pieces)
            else:
                self._read_stretches(self._text_calls.feed(part.text), pieces)
            if part.orphan:
                pieces.append(RetractedText(mode=self._options.mode))

    def _read_stretches(self, stretches: Iterable[Stretch], pieces: list[Piece]) -> None:
        for text, calls in stretches:
            self._finish_thinking(pieces, may_call=False)
            if calls:
                self._add_calls(calls, pieces)
                self._follows_call = True
                continue
            if self._follows_call:
                text = text.lstrip()
            self._add_text(text, pieces)

    def _read_thinking(self, text: str, pieces: list[Piece]) -> None:
        if self._thinking_calls is not None:
            text = self._thinking_calls.feed(text)
        self._add_thinking(text, pieces)

    def _finish_thinking(self, pieces: list[Piece], *, may_call: bool) -> None:
        """Add the thinking that was held back; calls at its end are calls only if nothing follows them."""
        if self._thinking_calls is None:
            return
        text, at_end = self._thinking_calls.finish()
        if not may_call:
            text += "".join(stretch.text for stretch in at_end)
        self._add_thinking(text, pieces)
        if may_call:
            self._add_calls(tuple(call for stretch in at_end for call in stretch.calls), pieces)

    def _add_thinking(self, text: str, pieces: list[Piece]) -> None:
        if not text:
            return
        self._thought.append(text)
        if self._options.mode == "separate":
            pieces.append(Piece(thinking=text))
        elif self._options.mode == "merge":
            pieces.append(Piece(text if len(self._thought) > 1 else THINKING_HEAD + text))

    def _add_text(self, text: str, pieces: list[Piece]) -> None:
        if not text:
            return
        if self._thought and not self._has_text and self._options.mode == "merge":
            pieces.append(Piece(ANSWER_HEAD))
        self._has_text = True
        self._follows_call = False
        pieces.append(Piece(text))

    def _add_calls(self, calls: tuple[FinishedCall, ...], pieces: list[Piece]) -> None:
        if calls:
            self._has_calls = True
            pieces.append(Piece(calls=calls))


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
