"""Forward a request to an engine, and its response to the client as it arrives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from typing import Any, cast

from flask import Response, g

from flask_shim.embedded import error_bodies
from flask_shim.embedded.error_bodies import JSON_TYPE
from flask_shim.embedded.loaded_models import MiniLoadedModel
from flask_shim.embedded.mini_services import MiniTarget, disconnect_check, mini_services
from flask_shim.lmstudio import BackendCall, LMStudio
from flask_shim.lmstudio.errors import BackendProtocolError, BackendUnavailable, ClientDisconnected
from flask_shim.lmstudio.http.response import BackendResponse

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


def relay(target: MiniTarget, path: str, payload: Payload) -> Response:
    """Return the engine's response byte for byte; closing it stops the generation.

    Raise EngineError for an error of the engine, LMStudioError for a model that cannot be loaded.
    """
    with ExitStack() as stack:
        instance, reply = _open(target, path, payload, stack)
        if reply.content_type != STREAM_TYPE:
            return Response(_read_whole(reply, instance), content_type=JSON_TYPE)
        response = Response(_blocks(reply, instance), headers={"Cache-Control": "no-cache"}, content_type=STREAM_TYPE)
        # A generator that is never started runs no finally block; this callback always runs.
        response.call_on_close(stack.pop_all().close)
        return response


def ask(target: MiniTarget, path: str, payload: Payload) -> tuple[Payload, MiniLoadedModel]:
    """Return the engine's whole answer and its instance; raise as :func:`relay` does."""
    with ExitStack() as stack:
        instance, reply = _open(target, path, payload, stack)
        answer: Payload = json.loads(_read_whole(reply, instance))
        return answer, instance


def error_stream(text: str) -> Response:
    """Return a stream of one error event."""
    return Response(iter([_error_event(text)]), content_type=STREAM_TYPE)


def _open(target: MiniTarget, path: str, payload: Payload, stack: ExitStack) -> tuple[MiniLoadedModel, BackendResponse]:
    """Send the request to a loaded instance; ``stack`` closes the connection and gives the instance back."""
    services, call = mini_services(), BackendCall(disconnect_check())
    instance = services.borrow(target, g.body.get("ttl"))
    stack.callback(services.loaded_models.give_back, instance)
    client = cast("LMStudio", instance.engine.client)
    stack.enter_context(client.watchdog.watch(call))
    with _report_end(instance):
        reply = client.open("POST", path, call, json.dumps(payload | {"model": instance.id}).encode())
    stack.callback(reply.close)
    if reply.status != HTTPStatus.OK:
        raise EngineError(reply.status, _read_whole(reply, instance))
    return instance, reply


def _read_whole(reply: BackendResponse, instance: MiniLoadedModel) -> bytes:
    with _report_end(instance):
        return reply.read_all(limit=0)


def _blocks(reply: BackendResponse, instance: MiniLoadedModel) -> Iterator[bytes]:
    try:
        yield from iter(reply.read, b"")
    except BackendProtocolError:
        yield _error_event(_end_text(instance))
    except ClientDisconnected:
        return  # the response that owns this generator closes the connection


@contextmanager
def _report_end(instance: MiniLoadedModel) -> Iterator[None]:
    """Raise LM Studio's error for an engine that ended before it answered."""
    try:
        yield
    except (BackendProtocolError, BackendUnavailable) as exc:
        raise error_bodies.plain(_end_text(instance)) from exc


def _end_text(instance: MiniLoadedModel) -> str:
    return error_bodies.MODEL_UNLOADED if instance.is_unloaded else error_bodies.crash_text(instance.engine.exit_code)


def _error_event(text: str) -> bytes:
    event = json.dumps({"error": {"message": text}, "message": text}, separators=(",", ":"))
    return f"event: error\ndata: {event}\n\n".encode()
