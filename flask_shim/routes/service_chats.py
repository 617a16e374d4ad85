"""The service's chats: each with a model that is named or with a default one, in one answer or in lines."""

from __future__ import annotations

import time
from collections.abc import Iterator

from flask import Blueprint, Response, request

from flask_shim.answering import pieces_of, whole_of
from flask_shim.completions import Completion
from flask_shim.directory import Target
from flask_shim.errors import ModelNotFound, NoModelLoaded
from flask_shim.faces import json_response
from flask_shim.lmstudio.client import CHAT
from flask_shim.routes.passthrough import need_unsaid
from flask_shim.routes.service_models import find
from flask_shim.schemas.service import ChatSchema, read
from flask_shim.services import services
from flask_shim.streams import NDJSON, client_gone, streamed
from flask_shim.translate.capabilities import check_chat, has_thinking
from flask_shim.translate.inheriting import inherited_payload
from flask_shim.translate.replies import AnswerReader, Reading
from flask_shim.translate.service import broke, chat_payload, done, fragment, whole

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
    ask = read(_CHAT, request.get_data(cache=False))
    target = _target(model or ask["model_key"])
    check_chat(target.name, (), target.model)
    payload = chat_payload(ask["messages"], ask["config"] or {}, services().defaults)
    payload = inherited_payload(CHAT, {**payload, "model": target.identifier}, target.entry)
    need, gone = need_unsaid(target), client_gone(request.environ)
    completion = Completion(services(), need, gone, started_ns).open(CHAT, payload)
    reader = AnswerReader(_reading(target))
    if stream:
        lines = _lines(completion, reader, target.model.key)
        return streamed(lines, completion.owned, mimetype=NDJSON, to_error=broke)
    with completion.owned:
        answer = whole_of(completion, reader)
        count = completion.totals(reader).eval_count
    return json_response(whole(target.model.key, answer.text, reader.finish_reason or "stop", count))


def _target(name: str) -> Target:
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
    return listing.generation.tells_state and not any(model.is_loaded for model in listing.models)


def _reading(target: Target) -> Reading:
    # There is no place for thinking in this protocol but the answer itself.
    is_merged = services().config.reasoning == "merge"
    return Reading(mode="merge" if is_merged else "hide", can_think=has_thinking(target.model))


def _lines(completion: Completion, reader: AnswerReader, model: str) -> Iterator[bytes]:
    for pieces in pieces_of(completion, reader):
        yield b"".join(map(fragment, pieces))
    yield done(model, reader.finish_reason or "stop", completion.totals(reader).eval_count)
