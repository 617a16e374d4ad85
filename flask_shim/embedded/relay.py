"""Forward a request to an engine, and its response to the client as it arrives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from typing import Any

from flask import Response

from flask_shim.embedded import error_bodies
from flask_shim.embedded.engine_connection import EngineReply, open_reply
from flask_shim.embedded.json_response import JSON_TYPE
from flask_shim.embedded.loaded_models import MiniLoadedModel
from flask_shim.embedded.mini_services import MiniServices, client_gone
from flask_shim.embedded.name_resolution import MiniTarget
from flask_shim.lmstudio.errors import BackendProtocolError, ClientDisconnected

Payload = dict[str, Any]

STREAM_TYPE = "text/event-stream"
"""LM Studio sends no charset."""

OLD_OVERFLOW = (
    "Trying to keep the first {n_prompt_tokens} tokens when context the overflows. However, the model is loaded with "
    "context length of only {n_ctx} tokens, which is not enough. Try to load the model with a larger context length, "
    "or provide a shorter input"
)


class EngineError(Exception):
    """An error response of the engine: its ``status`` and its ``raw`` body."""

    def __init__(self, status: int, raw: bytes) -> None:
        super().__init__(status)
        self.status, self.raw = status, raw

    def text(self, *, is_old: bool) -> str:
        """Return LM Studio's text; before 0.4 an overflow had another one."""
        raw = self.raw.decode("utf-8", "replace").strip()
        details = json.loads(raw).get("error", {}) if is_old and raw.startswith("{") else {}
        if details.get("type") == "exceed_context_size_error":
            return OLD_OVERFLOW.format_map(details)
        return f"Engine protocol predict request returned {self.status}: {raw}"


def relay(services: MiniServices, target: MiniTarget, path: str, payload: Payload, ttl: Any) -> Response:
    """Return the engine's response byte for byte; closing it stops the generation.

    Raise EngineError for an error of the engine, LMStudioError for a model that cannot be loaded.
    """
    with ExitStack() as stack:
        instance, reply = _open(services, target, path, payload, ttl, stack)
        if not reply.is_stream:
            return Response(_whole(reply, instance), content_type=JSON_TYPE)
        response = Response(_chunks(reply, instance), headers={"Cache-Control": "no-cache"}, content_type=STREAM_TYPE)
        # A generator that is never started runs no finally block; this callback always runs.
        response.call_on_close(stack.pop_all().close)
        return response


def ask(
    services: MiniServices, target: MiniTarget, path: str, payload: Payload, ttl: Any
) -> tuple[Payload, MiniLoadedModel]:
    """Return the engine's whole answer and its instance; raise as :func:`relay` does."""
    with ExitStack() as stack:
        instance, reply = _open(services, target, path, payload, ttl, stack)
        answer: Payload = json.loads(_whole(reply, instance))
        return answer, instance


def error_stream(text: str) -> Response:
    """Return a stream of one error event."""
    return Response(iter([_error_event(text)]), content_type=STREAM_TYPE)


def _open(
    services: MiniServices, target: MiniTarget, path: str, payload: Payload, ttl: Any, stack: ExitStack
) -> tuple[MiniLoadedModel, EngineReply]:
    """Send the request to a loaded instance; ``stack`` closes the connection and gives the instance back."""
    is_disconnected = client_gone()
    instance = services.borrow(target, ttl, is_disconnected)
    stack.callback(services.loaded_models.give_back, instance)
    with _reported_end(instance):
        reply = open_reply(instance.engine, path, payload | {"model": instance.id}, is_disconnected)
    stack.callback(reply.close)
    if reply.status != HTTPStatus.OK:
        raise EngineError(reply.status, _whole(reply, instance))
    return instance, reply


def _whole(reply: EngineReply, instance: MiniLoadedModel) -> bytes:
    with _reported_end(instance):
        return reply.read()


def _chunks(reply: EngineReply, instance: MiniLoadedModel) -> Iterator[bytes]:
    try:
        yield from reply.chunks()
    except BackendProtocolError:
        yield _error_event(_end_text(instance))
    except ClientDisconnected:
        # The client has disconnected; the response that owns this generator closes the connection.
        return


@contextmanager
def _reported_end(instance: MiniLoadedModel) -> Iterator[None]:
    """Raise LM Studio's error for an engine that ended before it answered."""
    try:
        yield
    except BackendProtocolError as exc:
        raise error_bodies.plain(_end_text(instance)) from exc


def _end_text(instance: MiniLoadedModel) -> str:
    return error_bodies.MODEL_UNLOADED if instance.is_unloaded else error_bodies.crashed(instance.engine.exit_code)


def _error_event(text: str) -> bytes:
    event = json.dumps({"error": {"message": text}, "message": text}, separators=(",", ":"))
    return f"event: error\ndata: {event}\n\n".encode()
