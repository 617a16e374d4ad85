"""An answer in the shape of Anthropic's Messages: the events of its stream, or one object. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from flask_shim.translate.answer.answer_reader import Piece
from flask_shim.translate.answer.named_events import Ending, named_event
from flask_shim.translate.answer.tool_calls import FinishedCall
from flask_shim.translate.ollama.payloads import Payload
from flask_shim.translate.ollama.records import WholeAnswer

_STOP_REASONS = {None: "end_turn", "stop": "end_turn", "tool_calls": "end_turn", "length": "max_tokens"}
"""Anything else an engine may stop for counts as a stop sequence, as with Ollama."""


class MessagesEncoder:
    """The answer to one ask. ``message_id`` is its id, ``model`` the name as the client wrote it."""

    def __init__(self, model: str, *, message_id: str) -> None:
        """Start before the first block."""
        self._model = model
        self._id = message_id
        self._kind = ""
        self._index = -1
        self._has_calls = False

    def opening(self) -> bytes:
        """Return the event before the first block.

        It says that no token was read, because nobody knows yet how many it will be; ``message_delta`` tells.
        """
        return named_event({"type": "message_start", "message": {**self._message([]), "usage": _usage(Ending())}})

    def encode(self, pieces: Iterable[Piece]) -> bytes:
        """Return the events that these pieces make; what was sent as text stays text."""
        return b"".join(event for piece in pieces for event in self._piece(piece))

    def closing(self, ending: Ending, now: int) -> bytes:  # noqa: ARG002  this protocol tells no times
        """Return the events that end the stream."""
        delta = {"stop_reason": self._stop_reason(ending)}
        last = named_event({"type": "message_delta", "delta": delta, "usage": _usage(ending)})
        return b"".join(self._close()) + last + named_event({"type": "message_stop"})

    def whole(self, answer: WholeAnswer, ending: Ending, now: int) -> dict[str, Any]:  # noqa: ARG002
        """Return the one object of an answer that is not streamed."""
        self._has_calls = bool(answer.calls)
        blocks: list[Payload] = []
        if answer.thinking:
            blocks.append({"type": "thinking", "thinking": answer.thinking})
        if answer.text:
            blocks.append({"type": "text", "text": answer.text})
        blocks += [_tool_use(call, call.arguments) for call in answer.calls]
        return {**self._message(blocks), "stop_reason": self._stop_reason(ending), "usage": _usage(ending)}

    def _piece(self, piece: Piece) -> Iterator[bytes]:
        for call in piece.calls:
            self._has_calls = True
            yield from self._open("tool_use", _tool_use(call, {}))
            yield self._delta("input_json_delta", "partial_json", orjson.dumps(call.arguments).decode())
        if piece.thinking:
            if self._kind != "thinking":
                yield from self._open("thinking", {"type": "thinking", "thinking": ""})
            yield self._delta("thinking_delta", "thinking", piece.thinking)
        if piece.text:
            if self._kind != "text":
                yield from self._open("text", {"type": "text", "text": ""})
            yield self._delta("text_delta", "text", piece.text)

    def _open(self, kind: str, block: Payload) -> Iterator[bytes]:
        yield from self._close()
        self._kind = kind
        self._index += 1
        yield named_event({"type": "content_block_start", "index": self._index, "content_block": block})

    def _close(self) -> Iterator[bytes]:
        """Yield the event that ends the open block, if there is one."""
        if self._kind:
            self._kind = ""
            yield named_event({"type": "content_block_stop", "index": self._index})

    def _delta(self, kind: str, name: str, text: str) -> bytes:
        delta = {"type": kind, name: text}
        return named_event({"type": "content_block_delta", "index": self._index, "delta": delta})

    def _message(self, blocks: list[Payload]) -> Payload:
        # Never null, as Ollama's is for an empty answer: libraries iterate over it.
        return {"id": self._id, "type": "message", "role": "assistant", "model": self._model, "content": blocks}

    def _stop_reason(self, ending: Ending) -> str:
        return "tool_use" if self._has_calls else _STOP_REASONS.get(ending.finish_reason, "stop_sequence")


def _tool_use(call: FinishedCall, arguments: Any) -> Payload:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments}


def _usage(ending: Ending) -> Payload:
    return {"input_tokens": ending.input_tokens, "output_tokens": ending.output_tokens}
