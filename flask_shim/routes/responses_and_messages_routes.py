"""OpenAI's Responses and Anthropic's Messages: passed on where the backend has them, else translated for its chat."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Collection

from flask import Blueprint, Response, request

from flask_shim.error_responses import json_response
from flask_shim.errors import NoSuchEndpoint
from flask_shim.inference.completion import Completion
from flask_shim.inference.forwarding import ForwardRequest, error_event, forward
from flask_shim.inference.ollama_response import new_call_id
from flask_shim.inference.sse_response import count_prompt_tokens, empty_response, sse_response
from flask_shim.inference.streaming import disconnect_check
from flask_shim.lmstudio.api_versions import ApiVersion
from flask_shim.lmstudio.client import CHAT
from flask_shim.models.registry import ResolvedModel
from flask_shim.routes import naming
from flask_shim.routes.passthrough import build_forward_request, default_requirements, read_body
from flask_shim.schemas.responses_and_messages import (
    MESSAGES_TYPE,
    RESPONSES_TYPE,
    load_messages,
    load_responses,
)
from flask_shim.services import services
from flask_shim.translate.answer.answer_reader import ReaderOptions
from flask_shim.translate.answer.tool_schemas import to_schemas
from flask_shim.translate.anthropic import messages_request
from flask_shim.translate.anthropic.messages_encoder import MessagesEncoder
from flask_shim.translate.anthropic.messages_request import (
    MessagesRequest,
    check_messages,
    check_request,
    hoist_system_messages,
)
from flask_shim.translate.ollama.alias_defaults import payload_with_alias_defaults
from flask_shim.translate.ollama.capabilities import check_chat, check_thinking, has_thinking
from flask_shim.translate.ollama.payloads import Payload
from flask_shim.translate.openai import responses_request
from flask_shim.translate.openai.chat_completions import adapt
from flask_shim.translate.openai.responses_encoder import ResponsesEncoder
from flask_shim.translate.openai.responses_request import ResponsesRequest, reject_stored_state

log = logging.getLogger(__name__)

bp = Blueprint("dialects", __name__)

_ID_RANGE = 10**15


@bp.post("/v1/responses")
def responses() -> Response:
    """Answer in OpenAI's newer shape; Codex speaks it."""
    started_ns = time.perf_counter_ns()
    raw, body = read_body(RESPONSES_TYPE)
    api_request = load_responses(body)
    target = naming.resolve(api_request.model, naming.CHAT)
    check_chat(api_request.model, (), target.model)
    forward_request = build_forward_request(raw, body, adapt(body), target)
    return _passed_on_or(forward_request, target, lambda: _responses(api_request, target, started_ns))


@bp.post("/v1/messages")
def messages() -> Response:
    """Answer in Anthropic's shape; Claude Code speaks it."""
    started_ns = time.perf_counter_ns()
    raw, body = read_body(MESSAGES_TYPE)
    api_request = load_messages(body)
    check_request(api_request)
    target = naming.resolve(api_request.model, naming.CHAT)
    check_chat(api_request.model, (), target.model)
    forward_request = build_forward_request(raw, body, hoist_system_messages(body), target)
    return _passed_on_or(forward_request, target, lambda: _messages(api_request, target, started_ns))


@bp.post("/v1/messages/count_tokens")
def count_tokens() -> Response:
    """Count the tokens of a conversation by having the backend read it, for nothing else there can count them.

    That costs a slot and, where the backend has not read the same beginning before, the time to read the prompt.
    A backend that shortens what is too long for its context counts what it left.
    """
    started_ns = time.perf_counter_ns()
    _, body = read_body(MESSAGES_TYPE)
    api_request = load_messages(body)
    check_messages(api_request)
    target = naming.resolve(api_request.model, naming.CHAT)
    check_chat(api_request.model, (), target.model)
    payload = messages_request.to_counting_payload(api_request, target.model, services().defaults)
    return json_response({"input_tokens": count_prompt_tokens(_opened(target, payload, started_ns))})


def _passed_on_or(
    forward_request: ForwardRequest, target: ResolvedModel, translated: Callable[[], Response]
) -> Response:
    """Pass the request on if the backend has its route, else answer it by ``translated``.

    LM Studio has both since 0.4; a build of it that does not is asked once, and again after some minutes.
    """
    catalogue = services().backend.catalogue
    if target.listing.generation is ApiVersion.V1 and not catalogue.lacks(forward_request.path):
        try:
            return forward(services().manager, forward_request, disconnect_check(request.environ))
        except NoSuchEndpoint:
            catalogue.note_missing(forward_request.path)
            log.info("translating %s: this LM Studio does not have it", forward_request.path)
    return translated()


def _responses(api_request: ResponsesRequest, target: ResolvedModel, started_ns: int) -> Response:
    reject_stored_state(api_request)
    check_thinking(api_request.model, api_request.think, target.model)
    payload = responses_request.to_payload(api_request, target.model, services().defaults)
    _tell_left_out(api_request.left_out)
    reply = ResponsesEncoder(api_request, number=secrets.randbelow(_ID_RANGE), created_at=int(time.time()))
    if not payload["messages"]:
        _load(target)
        return empty_response(reply, stream=api_request.stream)
    opened = _opened(target, payload, started_ns)
    return sse_response(opened, reply, _reading(api_request, target), stream=api_request.stream, to_error=reply.failure)


def _messages(api_request: MessagesRequest, target: ResolvedModel, started_ns: int) -> Response:
    payload = messages_request.to_payload(api_request, target.model, services().defaults)
    _tell_left_out(api_request.left_out)
    reply = MessagesEncoder(api_request.model, message_id=f"msg_{secrets.token_hex(12)}")
    opened = _opened(target, payload, started_ns)
    return sse_response(
        opened, reply, _reading(api_request, target), stream=api_request.stream, to_error=error_event(request.path)
    )


def _opened(target: ResolvedModel, payload: Payload, started_ns: int) -> Completion:
    """Open the chat; it belongs to the caller."""
    payload = payload_with_alias_defaults(CHAT, payload, target.entry)
    return Completion(
        services().manager, default_requirements(target), disconnect_check(request.environ), started_ns
    ).open(CHAT, payload)


def _load(target: ResolvedModel) -> None:
    manager = services().manager
    manager.check_may_change()
    with manager.admit(disconnect_check(request.environ)) as call:
        manager.load(default_requirements(target), call)


def _reading(api_request: ResponsesRequest | MessagesRequest, target: ResolvedModel) -> ReaderOptions:
    return ReaderOptions(
        offered=to_schemas(api_request.functions),
        mode="hide" if api_request.think is False else services().config.reasoning,
        can_think=has_thinking(target.model),
        wants_json=api_request.wants_json,
        new_id=new_call_id,
    )


def _tell_left_out(kinds: Collection[str]) -> None:
    if kinds:
        log.debug("tools that only their makers can run were left out: %s", ", ".join(kinds))
