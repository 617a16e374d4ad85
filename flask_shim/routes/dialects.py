"""OpenAI's Responses and Anthropic's Messages: passed on where the backend has them, else translated for its chat."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Collection

from flask import Blueprint, Response, request

from flask_shim.answering import new_call_id
from flask_shim.completions import Completion
from flask_shim.directory import Target
from flask_shim.errors import NoSuchEndpoint
from flask_shim.faces import json_response
from flask_shim.guards import check_may_change
from flask_shim.lmstudio.client import CHAT
from flask_shim.lmstudio.generations import Generation
from flask_shim.relays import Request, error_event, relayed
from flask_shim.retelling import prompt_tokens, retold, wordless
from flask_shim.routes import naming
from flask_shim.routes.passthrough import need_unsaid, posted, read_body
from flask_shim.schemas.dialects import MESSAGES_TYPE, RESPONSES_TYPE, load_messages, load_responses
from flask_shim.services import services
from flask_shim.stays import load
from flask_shim.streams import client_gone
from flask_shim.translate import messages_in, responses_in
from flask_shim.translate.capabilities import check_chat, check_thinking, has_thinking
from flask_shim.translate.inheriting import inherited_payload
from flask_shim.translate.messages_in import MessagesAsk, check_ask, check_messages, hoisted
from flask_shim.translate.messages_out import MessagesReply
from flask_shim.translate.offered import to_schemas
from flask_shim.translate.openai import adapt
from flask_shim.translate.replies import Reading
from flask_shim.translate.requests import Payload
from flask_shim.translate.responses_in import ResponsesAsk, check_stateless
from flask_shim.translate.responses_out import ResponsesReply

log = logging.getLogger(__name__)

bp = Blueprint("dialects", __name__)

_ID_RANGE = 10**15


@bp.post("/v1/responses")
def responses() -> Response:
    """Answer in OpenAI's newer shape; Codex speaks it."""
    started_ns = time.perf_counter_ns()
    raw, body = read_body(RESPONSES_TYPE)
    ask = load_responses(body)
    target = naming.resolve(ask.model, naming.CHAT)
    check_chat(ask.model, (), target.model)
    asked = posted(raw, body, adapt(body), target)
    return _passed_on_or(asked, target, lambda: _responses(ask, target, started_ns))


@bp.post("/v1/messages")
def messages() -> Response:
    """Answer in Anthropic's shape; Claude Code speaks it."""
    started_ns = time.perf_counter_ns()
    raw, body = read_body(MESSAGES_TYPE)
    ask = load_messages(body)
    check_ask(ask)
    target = naming.resolve(ask.model, naming.CHAT)
    check_chat(ask.model, (), target.model)
    asked = posted(raw, body, hoisted(body), target)
    return _passed_on_or(asked, target, lambda: _messages(ask, target, started_ns))


@bp.post("/v1/messages/count_tokens")
def count_tokens() -> Response:
    """Count the tokens of a conversation by having the backend read it, for nothing else there can count them.

    That costs a slot and, where the backend has not read the same beginning before, the time to read the prompt.
    A backend that shortens what is too long for its context counts what it left.
    """
    started_ns = time.perf_counter_ns()
    _, body = read_body(MESSAGES_TYPE)
    ask = load_messages(body)
    check_messages(ask)
    target = naming.resolve(ask.model, naming.CHAT)
    check_chat(ask.model, (), target.model)
    payload = messages_in.to_counting_payload(ask, target.model, services().defaults)
    return json_response({"input_tokens": prompt_tokens(_opened(target, payload, started_ns))})


def _passed_on_or(asked: Request, target: Target, translated: Callable[[], Response]) -> Response:
    """Pass the request on if the backend has its route, else answer it by ``translated``.

    LM Studio has both since 0.4; a build of it that does not is asked once, and again after some minutes.
    """
    catalogue = services().backend.catalogue
    if target.listing.generation is Generation.V1 and not catalogue.lacks(asked.path):
        try:
            return relayed(services(), asked, client_gone(request.environ))
        except NoSuchEndpoint:
            catalogue.note_missing(asked.path)
            log.info("translating %s: this LM Studio does not have it", asked.path)
    return translated()


def _responses(ask: ResponsesAsk, target: Target, started_ns: int) -> Response:
    check_stateless(ask)
    check_thinking(ask.model, ask.think, target.model)
    payload = responses_in.to_payload(ask, target.model, services().defaults)
    _tell_left_out(ask.left_out)
    reply = ResponsesReply(ask, number=secrets.randbelow(_ID_RANGE), created_at=int(time.time()))
    if not payload["messages"]:
        _load(target)
        return wordless(reply, stream=ask.stream)
    opened = _opened(target, payload, started_ns)
    return retold(opened, reply, _reading(ask, target), stream=ask.stream, to_error=reply.failure)


def _messages(ask: MessagesAsk, target: Target, started_ns: int) -> Response:
    payload = messages_in.to_payload(ask, target.model, services().defaults)
    _tell_left_out(ask.left_out)
    reply = MessagesReply(ask.model, message_id=f"msg_{secrets.token_hex(12)}")
    opened = _opened(target, payload, started_ns)
    return retold(opened, reply, _reading(ask, target), stream=ask.stream, to_error=error_event(request.path))


def _opened(target: Target, payload: Payload, started_ns: int) -> Completion:
    """Open the chat; it belongs to the caller."""
    payload = inherited_payload(CHAT, {**payload, "model": target.identifier}, target.entry)
    return Completion(services(), need_unsaid(target), client_gone(request.environ), started_ns).open(CHAT, payload)


def _load(target: Target) -> None:
    check_may_change(services().config)
    with services().work(client_gone(request.environ)) as call:
        load(services(), need_unsaid(target), call)


def _reading(ask: ResponsesAsk | MessagesAsk, target: Target) -> Reading:
    return Reading(
        offered=to_schemas(ask.functions),
        mode="hide" if ask.think is False else services().config.reasoning,
        can_think=has_thinking(target.model),
        wants_json=ask.wants_json,
        new_id=new_call_id,
    )


def _tell_left_out(kinds: Collection[str]) -> None:
    if kinds:
        log.debug("tools that only their makers can run were left out: %s", ", ".join(kinds))
