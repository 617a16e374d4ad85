"""Encode answers of /v1/messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from flask_shim.errors import ShimError
from flask_shim.translate.answer.answer_reader import Piece
from flask_shim.translate.answer.encoder import SSE, Encoder, FullAnswer, named_event
from flask_shim.translate.answer.tool_calls import FinishedCall
from flask_shim.translate.answer.usage import Totals
from flask_shim.translate.error_messages import anthropic_message
from flask_shim.translate.ollama.payloads import Payload

_STOP_REASONS = {None: "end_turn", "stop": "end_turn", "tool_calls": "end_turn", "length": "max_tokens"}
"""Any other finish reason counts as a stop sequence, as with Ollama."""


class MessagesEncoder(Encoder):
    """The answer to one request."""

    media_type = SSE

    def __init__(self, model: str, *, message_id: str, estimated_input_tokens: int) -> None:
        """``model`` is the name as the client wrote it; the estimate is sent before the backend reports its count."""
        self._model = model
        self._id = message_id
        self._estimated_input_tokens = estimated_input_tokens
        self._open_kind = ""
        self._index = -1
        self._has_calls = False

    def start(self) -> bytes:
        """Return ``message_start``."""
        usage = {"input_tokens": self._estimated_input_tokens, "output_tokens": 0}
        return named_event({"type": "message_start", "message": {**self._message([]), "usage": usage}})

    def pieces(self, pieces: Sequence[Piece], _: int, /) -> bytes:
        """Return the events of these pieces."""
        return b"".join(event for piece in pieces for event in self._piece(piece))

    def heartbeat(self, _: int, /) -> bytes:
        """Return ``ping``, as Anthropic sends it."""
        return named_event({"type": "ping"})

    def finish(self, totals: Totals, _: int, /) -> bytes:
        """Return the events that end the stream."""
        delta = {"stop_reason": self._stop_reason(totals)}
        last = named_event({"type": "message_delta", "delta": delta, "usage": _usage(totals)})
        return b"".join(self._close_block()) + last + named_event({"type": "message_stop"})

    def full(self, answer: FullAnswer, totals: Totals, _: int, /) -> dict[str, Any]:
        """Return the message."""
        self._has_calls = bool(answer.calls)
        blocks: list[Payload] = []
        if answer.thinking:
            blocks.append(_thinking(answer.thinking))
        if answer.text:
            blocks.append({"type": "text", "text": answer.text})
        blocks += [_tool_use(call, call.arguments) for call in answer.calls]
        return {**self._message(blocks), "stop_reason": self._stop_reason(totals), "usage": _usage(totals)}

    def error(self, error: ShimError) -> bytes:
        """Return ``error``, with the message's id as the id of the request."""
        kind = "api_error" if error.status >= 500 else "invalid_request_error"
        body = {"type": kind, "message": anthropic_message(error)}
        return named_event({"type": "error", "error": body, "request_id": self._id.replace("msg", "req", 1)})

    def _piece(self, piece: Piece) -> Iterator[bytes]:
        for call in piece.calls:
            self._has_calls = True
            yield from self._open_block("tool_use", _tool_use(call, {}))
            yield self._delta("input_json_delta", "partial_json", orjson.dumps(call.arguments).decode())
        if piece.thinking:
            if self._open_kind != "thinking":
                yield from self._open_block("thinking", _thinking(""))
            yield self._delta("thinking_delta", "thinking", piece.thinking)
        if piece.text:
            if self._open_kind != "text":
                yield from self._open_block("text", {"type": "text", "text": ""})
            yield self._delta("text_delta", "text", piece.text)

    def _open_block(self, kind: str, block: Payload) -> Iterator[bytes]:
        yield from self._close_block()
        self._open_kind = kind
        self._index += 1
        yield named_event({"type": "content_block_start", "index": self._index, "content_block": block})

    def _close_block(self) -> Iterator[bytes]:
        """Yield the event that ends the open block, if one is open."""
        if self._open_kind == "thinking":
            yield self._delta("signature_delta", "signature", "")
        if self._open_kind:
            self._open_kind = ""
            yield named_event({"type": "content_block_stop", "index": self._index})

    def _delta(self, kind: str, name: str, text: str) -> bytes:
        delta = {"type": kind, name: text}
        return named_event({"type": "content_block_delta", "index": self._index, "delta": delta})

    def _message(self, blocks: list[Payload]) -> Payload:
        # Ollama sends null for an empty answer; libraries iterate over the blocks, so send a list.
        return {"id": self._id, "type": "message", "role": "assistant", "model": self._model, "content": blocks}

    def _stop_reason(self, totals: Totals) -> str:
        return "tool_use" if self._has_calls else _STOP_REASONS.get(totals.finish_reason, "stop_sequence")


def _thinking(text: str) -> Payload:
    # The AI SDK rejects a whole answer without a signature, and sends thinking back only with one; Ollama has none.
    return {"type": "thinking", "thinking": text, "signature": ""}


def _tool_use(call: FinishedCall, arguments: Any) -> Payload:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments}


def _usage(totals: Totals) -> Payload:
    """Return the counts; Anthropic's input tokens exclude those that were read from the prompt cache."""
    cached = totals.cached_tokens
    usage = {"input_tokens": totals.prompt_tokens - (cached or 0), "output_tokens": totals.completion_tokens}
    return usage if cached is None else {**usage, "cache_read_input_tokens": cached}
