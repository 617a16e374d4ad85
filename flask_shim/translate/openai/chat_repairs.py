"""Repair a forwarded chat completion, or leave its thinking out; an answer without faults keeps its bytes.

Repaired are calls at the end of the thinking, calls without a name, and arguments that are not a JSON object; in whole
answers also JSON that is in the thinking instead of the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson

from flask_shim.errors import ShimError
from flask_shim.lmstudio.completion_events import Choice, Event, decode_event
from flask_shim.lmstudio.tool_call_deltas import PartialToolCall, ToolCallDeltas
from flask_shim.translate.answer.answer_reader import AnswerReader, Piece, ReaderOptions
from flask_shim.translate.answer.encoder import DATA, EVENT, FullAnswer
from flask_shim.translate.answer.text_tool_calls import TextCalls, TrailingCalls
from flask_shim.translate.answer.tool_calls import FinishedCall
from flask_shim.translate.answer.tool_schemas import ToolSchemas
from flask_shim.translate.ollama.payloads import Payload

_THINKING_FIELDS = ("reasoning_content", "reasoning")


class ChatRepairer:
    """Repairs one answer, an object or a stream. Events are held back from where a fault may begin."""

    def __init__(self, options: ReaderOptions) -> None:
        """Take the offered tools from ``options``."""
        self._options = options
        self._thinking = TrailingCalls(TextCalls(ToolSchemas(options.offered), options.new_id))
        self._calls = ToolCallDeltas()
        self._held: list[tuple[bytes, Event]] = []
        self._sent_calls = 0
        self._begun: dict[int, str] = {}  # the first character of the arguments by the id of the call object
        self._pending: list[PartialToolCall] = []  # the calls in the held events

    def complete_body(self, body: bytes) -> bytes:
        """Return the body of an answer that is not streamed."""
        try:
            event = decode_event(body)
        except ShimError:
            return body
        choice = event.choices[0] if event.choices else None
        if choice is None:
            return body
        is_empty = self._options.wants_json and not choice.text
        pieces = None if self._follow(choice) and not is_empty else self._read([event])
        if pieces is None:
            return body
        value = orjson.loads(body)
        if not (message := value["choices"][0].get("message")):
            return body
        answer = FullAnswer()
        answer.add(pieces)
        if answer.thinking:
            message["reasoning_content"] = answer.thinking
        if is_empty and answer.text:  # the JSON that LM Studio's grammar forced into the thinking
            message["content"] = answer.text
        message["tool_calls"] = [_tool_call(call) for call in answer.calls]
        value["choices"][0]["finish_reason"] = _finish_reason(choice.finish_reason, has_calls=bool(answer.calls))
        return orjson.dumps(value)

    def complete_events(self, block: bytes) -> bytes:
        """Return whole events of a stream as far as they are settled."""
        if not self._options.offered:
            return block
        return b"".join(map(self._event, EVENT.findall(block)))

    def _event(self, raw: bytes) -> bytes:
        data = DATA.search(raw)
        try:
            event = decode_event(data[1]) if data else Event()
        except ShimError:
            event = Event()
        if not event.choices and not event.usage:  # the end mark, an error, a comment
            return self._release() + raw
        choice = event.choices[0] if event.choices else None
        is_sound = self._follow(choice or Choice())
        self._held.append((raw, event))
        if choice is not None and choice.finish_reason and not is_sound:
            return self._repair()
        return self._release() if is_sound else b""

    def _follow(self, choice: Choice) -> bool:
        """Take in one more piece of the answer; return whether nothing so far can be a fault."""
        if not self._options.offered:
            return True
        if choice.thinking:
            self._thinking.feed(choice.thinking)
        if choice.tool_calls or (choice.text or "").strip():
            self._thinking.finish()
        for fragment in choice.tool_calls or ():
            call, arguments = self._calls.add(fragment), fragment.arguments or ""
            if id(call) not in self._begun:
                self._pending.append(call)
            if not self._begun.get(id(call)):
                self._begun[id(call)] = arguments.lstrip()[:1] if isinstance(arguments, str) else "an object"
        return not self._thinking.is_holding and all(
            call.name and self._begun[id(call)] == "{" for call in self._pending
        )

    def _release(self) -> bytes:
        self._sent_calls += len(self._pending)
        self._pending.clear()
        raw = b"".join(raw for raw, _ in self._held)
        self._held.clear()
        return raw

    def _repair(self) -> bytes:
        """Return the held events with their faults repaired; the last one ends the answer."""
        pieces = self._read([event for _, event in self._held])
        if pieces is None:
            return self._release()
        last = DATA.search(self._held[-1][0])
        value = orjson.loads(last[1]) if last else {}
        choice = value["choices"][0]
        deltas = [delta for piece in pieces for delta in self._deltas(piece)]
        has_calls = self._sent_calls > 0
        choice["finish_reason"] = _finish_reason(choice["finish_reason"], has_calls=has_calls)
        self._held.clear()
        chunks = [{**value, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
        return b"".join(b"data: %b\n\n" % orjson.dumps(chunk) for chunk in (*chunks, value))

    def _deltas(self, piece: Piece) -> Iterator[Payload]:
        if piece.thinking:
            yield {"reasoning_content": piece.thinking}
        if piece.text:
            yield {"content": piece.text}
        for call in piece.calls:
            yield {"tool_calls": [{"index": self._sent_calls, **_tool_call(call)}]}
            self._sent_calls += 1

    def _read(self, events: Sequence[Event]) -> list[Piece] | None:
        """Return the repaired end of an answer, None if nothing is wrong with it or it cannot be repaired."""
        reader = AnswerReader(self._options)
        try:
            pieces = reader.feed(events) + reader.finish()
        except ShimError:
            return None
        is_repaired = reader.nameless_calls or any(piece.calls for piece in pieces)
        return pieces if is_repaired or (self._options.wants_json and any(piece.text for piece in pieces)) else None


def _tool_call(call: FinishedCall) -> Payload:
    function = {"name": call.name, "arguments": orjson.dumps(call.arguments).decode()}
    return {"id": call.id, "type": "function", "function": function}


def _finish_reason(reason: str | None, *, has_calls: bool) -> str | None:
    return "tool_calls" if has_calls else "stop" if reason == "tool_calls" else reason


class ThinkingRemover(ChatRepairer):
    """Repairs an answer, and removes its thinking."""

    def complete_body(self, body: bytes) -> bytes:
        """Return the body of an answer that is not streamed."""
        repaired = super().complete_body(body)
        value = _without_thinking(repaired)
        return repaired if value is None else orjson.dumps(value)

    def complete_events(self, block: bytes) -> bytes:
        """Return whole events of a stream as far as they are settled."""
        return b"".join(map(_event_without_thinking, EVENT.findall(super().complete_events(block))))


def _event_without_thinking(raw: bytes) -> bytes:
    """Return an event without thinking, nothing if it had nothing else."""
    data = DATA.search(raw)
    value = _without_thinking(data[1]) if data else None
    if value is None:
        return raw
    is_empty = not any(choice.get("delta") or choice.get("finish_reason") for choice in value["choices"])
    return b"" if is_empty else b"data: %b\n\n" % orjson.dumps(value)


def _without_thinking(data: bytes) -> Payload | None:
    """Return the JSON of an answer without thinking, None if it has none."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    choices = value.get("choices") if isinstance(value, dict) else None
    turns = [choice.get(part) for choice in choices or () for part in ("delta", "message")]
    thinking = [turn for turn in turns if isinstance(turn, dict) and any(name in turn for name in _THINKING_FIELDS)]
    for turn in thinking:
        for name in _THINKING_FIELDS:
            turn.pop(name, None)
    return value if thinking else None
