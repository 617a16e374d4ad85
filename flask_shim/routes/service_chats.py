"""The service's chats, each with the model that the request names or with a default one."""

from __future__ import annotations

import time

from flask import Blueprint, Response, request

from flask_shim.inference.respond import send_completion
from flask_shim.lmstudio.errors import ModelNotFound, NoModelLoaded
from flask_shim.models.registry import ResolvedModel
from flask_shim.observability.request_context import current
from flask_shim.routes.model_requests import new_chat
from flask_shim.routes.service_models import find
from flask_shim.schemas.service_schemas import ChatSchema, read
from flask_shim.services import services
from flask_shim.translate.answer.answer_reader import ReaderOptions
from flask_shim.translate.ollama.capabilities import check_chat, has_thinking
from flask_shim.translate.service_records import ServiceChatEncoder, chat_payload

bp = Blueprint("chats", __name__)

_CHAT = ChatSchema()


@bp.post("/chat")
def chat() -> Response:
    """Chat with the named model, or with the default one for text."""
    return _send_chat(stream=False)


@bp.post("/chat/stream")
def chat_stream() -> Response:
    """Chat with the named model and stream the answer."""
    return _send_chat(stream=True)


@bp.post("/chat/regular")
def regular() -> Response:
    """Chat with the default model for text."""
    return _send_chat(services().config.default_regular_model, stream=False)


@bp.post("/chat/regular/stream")
def regular_stream() -> Response:
    """Chat with the default model for text and stream the answer."""
    return _send_chat(services().config.default_regular_model, stream=True)


@bp.post("/chat/vision")
def vision() -> Response:
    """Chat about pictures with the default model for them."""
    return _send_chat(services().config.default_vision_model, stream=False)


@bp.post("/chat/vision/stream")
def vision_stream() -> Response:
    """Chat about pictures with the default model for them and stream the answer."""
    return _send_chat(services().config.default_vision_model, stream=True)


def _send_chat(model: str = "", *, stream: bool) -> Response:
    """Chat with ``model``, or with the one that the request names."""
    started_ns = time.perf_counter_ns()
    api_request = read(_CHAT, request.get_data(cache=False))
    config = api_request["config"] or {}
    current().options = tuple(config)
    target = _resolve(model or api_request["model_key"])
    check_chat(target.name, (), target.model)
    payload = chat_payload(api_request["messages"], config, services().defaults)
    completion = new_chat(target, payload, started_ns)
    # The protocol has no field for thinking: it is part of the answer or hidden.
    is_merged = services().config.reasoning == "merge" and not current().hides_thinking
    options = ReaderOptions(mode="merge" if is_merged else "hide", can_think=has_thinking(target.model))
    return send_completion(completion, ServiceChatEncoder(target.model.key), options, stream=stream)


def _resolve(name: str) -> ResolvedModel:
    """Return the model of that name, by default the one for text; NoModelLoaded if a default one does not exist."""
    config = services().config
    name = name or config.default_regular_model
    try:
        return find(name)
    except ModelNotFound as exc:
        if name in (config.default_regular_model, config.default_vision_model):
            listing = services().backends.listing(max_age=0)
            if listing.reports_state and not listing.loaded():
                raise NoModelLoaded(exc.text) from exc
        raise
