"""Decision models: POST /v1/systemone as Ollama has it, and POST /v1/decisions as OpenAI has it."""

from __future__ import annotations

import dataclasses

from flask import Blueprint, Response, request

from flask_shim.error_responses import json_response
from flask_shim.errors import BadRequest
from flask_shim.inference.decide import decide
from flask_shim.inference.forwarding import forward
from flask_shim.lmstudio import Kind
from flask_shim.lmstudio.api_versions import ApiVersion
from flask_shim.lmstudio.errors import LMStudioError, lacks_route
from flask_shim.models.registry import ResolvedModel
from flask_shim.observability.request_context import current
from flask_shim.routes.forward_requests import build_forward_request, read_body
from flask_shim.routes.model_requests import default_requirements
from flask_shim.routes.naming import CHAT_NAMING
from flask_shim.schemas.v1_requests import load_systemone
from flask_shim.services import services
from flask_shim.translate.ollama.quoting import go_quote
from flask_shim.translate.ollama.systemone import check_decision, to_systemone
from flask_shim.translate.openai.decisions import read_decisions, to_decisions

bp = Blueprint("decisions", __name__)


@bp.post("/v1/systemone")
def systemone() -> Response:
    """Answer questions with probabilities."""
    api_request = load_systemone(request.get_data(cache=False))
    if not api_request.model.strip():
        raise BadRequest("model is required")
    target = _resolve(api_request.model)
    check_decision(api_request, target.model)
    keep_alive = services().config.unload_ttl if api_request.keep_alive == 0 else api_request.keep_alive
    requirements = dataclasses.replace(default_requirements(target), keep_alive=keep_alive)
    value = decide(requirements, api_request)
    answer = to_systemone(api_request, value)
    current().set_usage(*answer["usage"].values())
    return json_response(answer)


@bp.post("/v1/decisions")
def decisions() -> Response:
    """Forward the request; an LM Studio that has only /v1/systemone is asked in that form."""
    raw, body = read_body("openai.DecisionRequest")
    name = body.get("model")
    if not isinstance(name, str):
        raise BadRequest("model is required")
    target = _resolve(name)
    forwarded = build_forward_request(raw, body, body, target)
    try:
        return forward(forwarded)
    except LMStudioError as exc:
        if not lacks_route(exc):
            raise
        value = decide(default_requirements(target), read_decisions(body))
    answer = to_decisions(body, value)
    current().set_usage(answer["usage"]["input_tokens"], answer["usage"]["output_tokens"])
    return json_response(answer)


def _resolve(name: str) -> ResolvedModel:
    """Return the model of a client's name; raise Ollama's 400 for one that certainly makes no decisions."""
    target = CHAT_NAMING.resolve(name)
    if target.listing.api_version is ApiVersion.V1 and target.model.kind is not Kind.DECISION:
        raise BadRequest(f"{go_quote(name)} does not support decision")
    return target
