"""Hand a request to an engine and its answer to the client, untouched and as it comes."""

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
"""Without a charset: LM Studio sends none."""

OLD_OVERFLOW = (
    "Trying to keep the first {n_prompt_tokens} tokens when context the overflows. However, the model is loaded with "
    "context length of only {n_ctx} tokens, which is not enough. Try to load the model with a larger context length, "
    "or provide a shorter input"
)


class EngineRefused(Exception):
    """The engine answered with an error: its ``status``, and the ``raw`` JSON it sent."""

    def __init__(self, status: int, raw: bytes) -> None:
        """Keep the answer."""
        super().__init__(status)
        self.status, self.raw = status, raw

    def text(self, *, is_old: bool) -> str:
        """Return what LM Studio makes of it; before 0.4 an overflow had a text of its own."""
        raw = self.raw.decode("utf-8", "replace").strip()
        details = json.loads(raw).get("error", {}) if is_old and raw.startswith("{") else {}
        if details.get("type") == "exceed_context_size_error":
            return OLD_OVERFLOW.format_map(details)
        return f"Engine protocol predict request returned {self.status}: {raw}"


def relay(studio: MiniServices, target: MiniTarget, path: str, payload: Payload, ttl: Any) -> Response:
    """Answer with what the engine says, byte for byte; closing the response stops the generation.

    Before the first byte: :class:`EngineRefused`, or :class:`refusals.Refusal` for a model that can't be loaded.
    """
    with ExitStack() as stack:
        resident, reply = _open(studio, target, path, payload, ttl, stack)
        if not reply.is_stream:
            return Response(_whole(reply, resident), content_type=JSON_TYPE)
        response = Response(_chunks(reply, resident), headers={"Cache-Control": "no-cache"}, content_type=STREAM_TYPE)
        # A generator that is never started runs no finally; this is called in any case.
        response.call_on_close(stack.pop_all().close)
        return response


def ask(
    studio: MiniServices, target: MiniTarget, path: str, payload: Payload, ttl: Any
) -> tuple[Payload, MiniLoadedModel]:
    """Return the engine's whole answer, and who gave it. Raises what :func:`relay` raises."""
    with ExitStack() as stack:
        resident, reply = _open(studio, target, path, payload, ttl, stack)
        told: Payload = json.loads(_whole(reply, resident))
        return told, resident


def error_stream(text: str) -> Response:
    """Answer with the event that ends a stream LM Studio could not finish."""
    return Response(iter([_error_event(text)]), content_type=STREAM_TYPE)


def _open(
    studio: MiniServices, target: MiniTarget, path: str, payload: Payload, ttl: Any, stack: ExitStack
) -> tuple[MiniLoadedModel, EngineReply]:
    """Ask a loaded copy of the model; ``stack`` hangs up and gives it back."""
    is_disconnected = client_gone()
    resident = studio.borrow(target, ttl, is_disconnected)
    stack.callback(studio.residents.give_back, resident)
    with _end_is_said(resident):
        reply = open_reply(resident.engine, path, payload | {"model": resident.id}, is_disconnected)
    stack.callback(reply.close)
    if reply.status != HTTPStatus.OK:
        raise EngineRefused(reply.status, _whole(reply, resident))
    return resident, reply


def _whole(reply: EngineReply, resident: MiniLoadedModel) -> bytes:
    with _end_is_said(resident):
        return reply.read()


def _chunks(reply: EngineReply, resident: MiniLoadedModel) -> Iterator[bytes]:
    try:
        yield from reply.chunks()
    except BackendProtocolError:
        yield _error_event(_how_it_ended(resident))
    except ClientDisconnected:
        # The client has disconnected; the response that owns this generator closes the connection.
        return


@contextmanager
def _end_is_said(resident: MiniLoadedModel) -> Iterator[None]:
    """Say in LM Studio's words that an engine ended before it had answered."""
    try:
        yield
    except BackendProtocolError as exc:
        raise error_bodies.plain(_how_it_ended(resident)) from exc


def _how_it_ended(resident: MiniLoadedModel) -> str:
    return error_bodies.MODEL_UNLOADED if resident.is_unloaded else error_bodies.crashed(resident.engine.exit_code)


def _error_event(text: str) -> bytes:
    event = json.dumps({"error": {"message": text}, "message": text}, separators=(",", ":"))
    return f"event: error\ndata: {event}\n\n".encode()
