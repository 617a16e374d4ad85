"""Chats of the service routes into payloads, and pieces of answers into its records. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from flask_shim.lmstudio.completion_events import STREAMED
from flask_shim.lmstudio.model import Model
from flask_shim.translate.answer.answer_reader import Piece
from flask_shim.translate.ollama.messages import to_messages
from flask_shim.translate.ollama.payloads import Defaults, Payload, to_ttl
from flask_shim.translate.ollama.requests import Message


def chat_payload(messages: Sequence[Message], settings: Mapping[str, Any], defaults: Defaults) -> Payload:
    """Return the payload of /v1/chat/completions, but for its model; only settings that were given are sent."""
    payload: Payload = {
        "messages": to_messages(messages),
        **STREAMED,
        **{key: value for key, value in settings.items() if value is not None},
    }
    if (ttl := to_ttl(None, defaults)) is not None:
        payload["ttl"] = ttl
    return payload


def fragment_record(piece: Piece) -> bytes:
    """Return the NDJSON line of a piece; thinking and calls have no place in this protocol."""
    return orjson.dumps({"type": "fragment", "content": piece.text}) + b"\n" if piece.text else b""


def full_record(model: str, content: str, stop_reason: str, predicted_tokens: int) -> dict[str, Any]:
    """Return the one object of an answer that is not streamed."""
    return {
        "model": model,
        "content": content,
        "stop_reason": stop_reason,
        "predicted_tokens": predicted_tokens,
    }


def done_record(model: str, stop_reason: str, predicted_tokens: int) -> bytes:
    """Return the NDJSON line that ends a stream."""
    record = {"type": "done", "model": model, "predicted_tokens": predicted_tokens, "stop_reason": stop_reason}
    return orjson.dumps(record) + b"\n"


def error_record(text: str) -> bytes:
    """Return the NDJSON line for a stream that could not be finished."""
    return orjson.dumps({"type": "error", "detail": text}) + b"\n"


def described(model: Model) -> dict[str, Any]:
    """Return a model as the service speaks of it."""
    return {"key": model.key, "display_name": model.display_name or model.key}


def listed(model: Model) -> dict[str, Any]:
    """Return a loaded model as the service lists it; the length is in tokens."""
    return {
        **described(model),
        "type": model.kind.value,
        "context_length": model.loaded_context_length,
        "instances": [instance.id for instance in model.instances],
    }
