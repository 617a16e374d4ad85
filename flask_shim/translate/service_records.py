"""The chats and models of the service routes: payloads for the backend, and the encoder of the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask_shim.errors import ShimError
from flask_shim.lmstudio.completion_events import STREAMED
from flask_shim.lmstudio.model import Model
from flask_shim.translate.answer.answer_reader import Piece
from flask_shim.translate.answer.encoder import NDJSON, Encoder, FullAnswer, ndjson_line
from flask_shim.translate.answer.usage import Totals
from flask_shim.translate.error_messages import message_with_param
from flask_shim.translate.ollama.payloads import Defaults, Payload, to_messages, to_ttl
from flask_shim.translate.ollama.requests import Message


def chat_payload(messages: Sequence[Message], settings: Mapping[str, Any], defaults: Defaults) -> Payload:
    """Return the payload of /v1/chat/completions without its model, with the settings that were given."""
    payload: Payload = {
        "messages": to_messages(messages),
        **STREAMED,
        **{key: value for key, value in settings.items() if value is not None},
    }
    if (ttl := to_ttl(None, defaults)) is not None:
        payload["ttl"] = ttl
    return payload


class ServiceChatEncoder(Encoder):
    """The answer to one chat. The protocol has no place for thinking and tool calls."""

    media_type = NDJSON

    def __init__(self, model: str) -> None:
        """``model`` is LM Studio's key."""
        self._model = model

    def pieces(self, pieces: Sequence[Piece], _: int, /) -> bytes:
        """Return a line for each piece of text."""
        return b"".join(ndjson_line({"type": "fragment", "content": piece.text}) for piece in pieces if piece.text)

    def heartbeat(self, _: int, /) -> bytes:
        """Return a line without text."""
        return ndjson_line({"type": "fragment", "content": ""})

    def finish(self, totals: Totals, _: int, /) -> bytes:
        """Return the last line."""
        return ndjson_line(
            {
                "type": "done",
                "model": self._model,
                "predicted_tokens": totals.completion_tokens,
                "stop_reason": totals.finish_reason or "stop",
            }
        )

    def full(self, answer: FullAnswer, totals: Totals, _: int, /) -> dict[str, Any]:
        """Return the answer as one object."""
        return {
            "model": self._model,
            "content": answer.text,
            "stop_reason": totals.finish_reason or "stop",
            "predicted_tokens": totals.completion_tokens,
        }

    def error(self, error: ShimError) -> bytes:
        """Return the line that ends a stream that failed."""
        return ndjson_line({"type": "error", "detail": message_with_param(error)})


def describe_model(model: Model) -> dict[str, Any]:
    """Return a model as the service names it."""
    return {"key": model.key, "display_name": model.display_name or model.key}


def describe_loaded_model(model: Model) -> dict[str, Any]:
    """Return a loaded model as the service lists it; the length is in tokens."""
    return {
        **describe_model(model),
        "type": model.kind.value,
        "context_length": model.loaded_context_length,
        "instances": [instance.id for instance in model.instances],
    }
