"""Anthropic's Messages, answered with a chat completion of any backend."""

from __future__ import annotations

import dataclasses
import secrets
from functools import cache, partial
from typing import Any

from flask import Blueprint, Response

from flask_shim.error_responses import json_response
from flask_shim.inference.respond import count_prompt_tokens
from flask_shim.lmstudio.errors import ContextOverflow
from flask_shim.observability.request_context import current
from flask_shim.routes.forward_requests import read_body
from flask_shim.routes.model_requests import drop_billing_line, new_chat, record_dropped_effort, send_chat
from flask_shim.routes.naming import CHAT_NAMING
from flask_shim.schemas.v1_requests import MESSAGES_TYPE, load_messages
from flask_shim.services import services
from flask_shim.translate.answer.usage import estimate_prompt_tokens
from flask_shim.translate.anthropic.messages_encoder import MessagesEncoder
from flask_shim.translate.anthropic.messages_request import (
    MessagesRequest,
    check_messages,
    check_request,
    to_counting_payload,
    to_payload,
)
from flask_shim.translate.ollama.capabilities import check_chat

bp = Blueprint("anthropic_messages", __name__)


@bp.post("/v1/messages")
def messages() -> Response:
    """Answer in the form of Anthropic's Messages."""
    body, api_request = _read_request()
    check_request(api_request)
    target = CHAT_NAMING.resolve(api_request.model)
    check_chat(api_request.model, (), target.model)
    payload = to_payload(api_request, target.model, services().defaults)
    if body.get("mcp_servers"):
        current().dropped += ("mcp_servers",)
    record_dropped_effort(api_request.think, target.model)
    estimate_tokens = current().estimate_tokens = cache(partial(estimate_prompt_tokens, payload))
    encoder = MessagesEncoder(
        api_request.model,
        message_id=f"msg_{secrets.token_hex(12)}",
        estimated_input_tokens=estimate_tokens(),
    )
    return send_chat(api_request, target, payload, encoder)


@bp.post("/v1/messages/count_tokens")
def count_tokens() -> Response:
    """Count the tokens of a conversation with a completion of one token: LM Studio has no route that counts.

    That takes a slot and, unless the prompt is in the backend's cache, the time to process it. If the backend truncates
    the prompt to its context, the rest is counted; if it rejects a long prompt, its count is in the error.
    """
    _, api_request = _read_request()
    check_messages(api_request)
    target = CHAT_NAMING.resolve(api_request.model)
    check_chat(api_request.model, (), target.model)
    payload = to_counting_payload(api_request, target.model, services().defaults)
    try:
        tokens = count_prompt_tokens(new_chat(target, payload, think=api_request.think))
    except ContextOverflow as exc:
        if exc.prompt_tokens is None:
            raise
        tokens = exc.prompt_tokens
    return json_response({"input_tokens": tokens})


def _read_request() -> tuple[dict[str, Any], MessagesRequest]:
    """Return the body and the request in it."""
    _, body = read_body(MESSAGES_TYPE)
    api_request = load_messages(body)
    return body, dataclasses.replace(api_request, system=drop_billing_line(api_request.system))
