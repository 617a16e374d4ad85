"""The service's chats: each with a model that is named or with a default one, in one answer or in lines."""

from __future__ import annotations

import time
from collections.abc import Iterator

from flask import Blueprint, Response, request

from flask_shim.error_responses import json_response
from flask_shim.errors import ModelNotFound, NoModelLoaded
from flask_shim.inference.completion import Completion
from flask_shim.inference.ollama_response import iter_pieces, read_whole
from flask_shim.inference.streaming import NDJSON, disconnect_check, stream_response
from flask_shim.lmstudio.client import CHAT
from flask_shim.models.registry import ResolvedModel
from flask_shim.routes.passthrough import default_requirements
from flask_shim.routes.service_models import find
from flask_shim.schemas.service_schemas import ChatSchema, read
from flask_shim.services import services
from flask_shim.translate.answer.answer_reader import AnswerReader, ReaderOptions
from flask_shim.translate.ollama.alias_defaults import payload_with_alias_defaults
from flask_shim.translate.ollama.capabilities import check_chat, has_thinking
from flask_shim.translate.service_records import (
    chat_payload,
    done_record,
    error_record,
    fragment_record,
    full_record,
)

bp = Blueprint("chats", __name__)

_CHAT = ChatSchema()


@bp.post("/chat")
def chat() -> Response:
    """Chat with the model named, else with the default one for text."""
    return _answered(stream=False)


@bp.post("/chat/stream")
def chat_stream() -> Response:
    """Chat with the model named, in lines while the answer is made."""
    return _answered(stream=True)


@bp.post("/chat/regular")
def regular() -> Response:
    """Chat with the default model for text."""
    return _answered(services().config.default_regular_model, stream=False)


@bp.post("/chat/regular/stream")
def regular_stream() -> Response:
    """Chat with the default model for text, in lines while the answer is made."""
    return _answered(services().config.default_regular_model, stream=True)


@bp.post("/chat/vision")
def vision() -> Response:
    """Chat about pictures, with the default model for them."""
    return _answered(services().config.default_vision_model, stream=False)


@bp.post("/chat/vision/stream")
def vision_stream() -> Response:
    """Chat about pictures, in lines while the answer is made."""
    return _answered(services().config.default_vision_model, stream=True)


def _answered(model: str = "", *, stream: bool) -> Response:
    """Answer with ``model``, or with the one the request names."""
    started_ns = time.perf_counter_ns()
    api_request = read(_CHAT, request.get_data(cache=False))
    target = _target(model or api_request["model_key"])
    check_chat(target.name, (), target.model)
    payload = chat_payload(api_request["messages"], api_request["config"] or {}, services().defaults)
    payload = payload_with_alias_defaults(CHAT, payload, target.entry)
    requirements, is_disconnected = default_requirements(target), disconnect_check(request.environ)
    completion = Completion(services().manager, requirements, is_disconnected, started_ns).open(CHAT, payload)
    reader = AnswerReader(_reading(target))
    if stream:
        lines = _lines(completion, reader, target.model.key)
        return stream_response(lines, completion.stack, mimetype=NDJSON, to_error=error_record)
    with completion.stack:
        answer = read_whole(completion, reader)
        count = completion.totals(reader).eval_count
    return json_response(full_record(target.model.key, answer.text, reader.finish_reason or "stop", count))


def _target(name: str) -> ResolvedModel:
    """Return the model of that name, of no name the default one; that need not be there, and is asked for by nobody."""
    config = services().config
    name = name or config.default_regular_model
    try:
        return find(name)
    except ModelNotFound as exc:
        if name in (config.default_regular_model, config.default_vision_model) and _nothing_is_loaded():
            raise NoModelLoaded(exc.text) from exc
        raise


def _nothing_is_loaded() -> bool:
    listing = services().backend.listing(max_age=0)
    return listing.generation.reports_state and not any(model.is_loaded for model in listing.models)


def _reading(target: ResolvedModel) -> ReaderOptions:
    # There is no place for thinking in this protocol but the answer itself.
    is_merged = services().config.reasoning == "merge"
    return ReaderOptions(mode="merge" if is_merged else "hide", can_think=has_thinking(target.model))


def _lines(completion: Completion, reader: AnswerReader, model: str) -> Iterator[bytes]:
    for pieces in iter_pieces(completion, reader):
        yield b"".join(map(fragment_record, pieces))
    yield done_record(model, reader.finish_reason or "stop", completion.totals(reader).eval_count)
