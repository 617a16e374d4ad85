"""OpenAI's Responses, answered with a chat completion unless only LM Studio itself can answer."""

from __future__ import annotations

import dataclasses
import logging
import secrets
import time

from flask import Blueprint, Response

from flask_shim.inference.forwarding import forward
from flask_shim.inference.respond import send_empty
from flask_shim.lmstudio.api_versions import ApiVersion
from flask_shim.models.registry import ResolvedModel
from flask_shim.routes.forward_requests import build_forward_request, read_body
from flask_shim.routes.model_requests import default_requirements, load, record_dropped_effort, send_chat
from flask_shim.routes.naming import CHAT_NAMING
from flask_shim.schemas.v1_requests import RESPONSES_TYPE, load_responses
from flask_shim.services import services
from flask_shim.translate.ollama.capabilities import check_chat
from flask_shim.translate.openai.native_responses import ResponseCompleter, adapt_native, needs_backend_state
from flask_shim.translate.openai.responses_encoder import ResponsesEncoder
from flask_shim.translate.openai.responses_request import ResponsesRequest, to_payload

log = logging.getLogger(__name__)

bp = Blueprint("openai_responses", __name__)

_ID_RANGE = 10**15


@bp.post("/v1/responses")
def responses() -> Response:
    """Answer in the form of OpenAI's Responses."""
    raw, body = read_body(RESPONSES_TYPE)
    api_request = load_responses(body)
    target = CHAT_NAMING.resolve(api_request.model)
    check_chat(api_request.model, (), target.model)
    record_dropped_effort(api_request.think, target.model)
    # LM Studio 0.4 stores responses and runs MCP tools.
    if target.listing.api_version is ApiVersion.V1 and needs_backend_state(body):
        # Only the machine that has stored a response knows it, so all of them go to the same one.
        backends = {place.backend for place in target.places}
        target = target.at(next(backend for backend in services().backends if backend in backends))
        forward_request = build_forward_request(raw, body, adapt_native(body, target.model), target)
        completer = ResponseCompleter(api_request, created_at=int(time.time()))
        return forward(dataclasses.replace(forward_request, completer=completer))
    return _send_chat(api_request, target)


def _send_chat(api_request: ResponsesRequest, target: ResolvedModel) -> Response:
    payload = to_payload(api_request, target.model, services().defaults)
    if api_request.previous_response_id or api_request.conversation:
        # As Ollama does: what the client sends is the whole conversation.
        log.warning("ignored previous_response_id or conversation: this server stores no responses")
    encoder = ResponsesEncoder(api_request, number=secrets.randbelow(_ID_RANGE), created_at=int(time.time()))
    if not payload["messages"]:
        load(default_requirements(target))
        return send_empty(encoder, stream=api_request.stream)
    return send_chat(api_request, target, payload, encoder)
