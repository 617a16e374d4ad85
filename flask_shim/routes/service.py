"""A small service over LM Studio: load and unload models, chat with a model or with the default ones."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, current_app, request

from flask_shim.completions import Completion
from flask_shim.directory import Target
from flask_shim.errors import BackendUnavailable, Busy, ClientGone, ModelNotFound, NoModelLoaded, ShimError
from flask_shim.faces import error_response, json_response
from flask_shim.guards import check_may_change
from flask_shim.lmstudio import Call, Model
from flask_shim.lmstudio.client import CHAT
from flask_shim.request_record import current
from flask_shim.schemas.service import ChatSchema, LoadSchema, UnloadSchema, read
from flask_shim.services import services
from flask_shim.stays import Need, unload
from flask_shim.streams import NDJSON, client_gone, streamed
from flask_shim.translate import service as records
from flask_shim.translate.inheriting import context_of, inherited_payload
from flask_shim.translate.records import Answer
from flask_shim.translate.replies import AnswerReader, Reading

bp = Blueprint("service", __name__)

_CHAT, _LOAD, _UNLOAD = ChatSchema(), LoadSchema(), UnloadSchema()


@bp.errorhandler(ShimError)
def _in_its_own_words(exc: ShimError) -> Response:
    """Answer with the texts that clients of this service know."""
    current().failed(exc)
    if isinstance(exc, BackendUnavailable):
        exc = ShimError(f"Could not connect to LM Studio: {exc.why.capitalize()}", status=503)
    elif isinstance(exc, NoModelLoaded):
        exc = ShimError("Chat service unavailable: No model loaded", status=503)
    return error_response(exc, request.path)


@bp.get("/models")
def models() -> Response:
    """List the loaded models."""
    listing = services().backend.listing(max_age=0)
    return json_response({"models": [_loaded(model) for model in listing.models if model.is_loaded]})


@bp.post("/models/load")
def load_model() -> Response:
    """Load a model, alone if ``exclusive``."""
    check_may_change(services().config)
    ask = read(_LOAD, request.get_data(cache=False))
    key, exclusive = ask.pop("model_key"), ask.pop("exclusive")
    try:
        target = _target(key)
        with services().work(client_gone(request.environ)) as call:
            if exclusive:
                _unload([model for model in _loaded_models() if model.key != target.model.key], call)
            if not target.model.is_loaded or ask:
                _load(target, ask, call)
    except (BackendUnavailable, Busy, ClientGone):
        raise
    except ShimError as exc:
        why = "Model not found" if isinstance(exc, ModelNotFound) else exc.text
        return json_response({"loaded": False, "error": f"Failed to load model: {why}"})
    return json_response({"loaded": True, "model": records.described(target.model), "error": None})


@bp.post("/models/unload")
def unload_models() -> Response:
    """Unload one model, or all."""
    check_may_change(services().config)
    ask = read(_UNLOAD, request.get_data(cache=False))
    if not ask["unload_all"] and not ask["model_key"]:
        return _unloaded([], "Must specify model_key or unload_all=true")
    try:
        with services().work(client_gone(request.environ)) as call:
            if ask["unload_all"]:
                return _unloaded(_unload(_loaded_models(), call), None)
            target = _target(ask["model_key"])
            unload(services(), target, call)
            return _unloaded([target.model.key], None)
    except ModelNotFound:
        return _unloaded([], f"Model not found: {ask['model_key']}")


@bp.post("/chat", defaults={"kind": "any", "stream": False})
@bp.post("/chat/stream", defaults={"kind": "any", "stream": True})
@bp.post("/chat/regular", defaults={"kind": "regular", "stream": False})
@bp.post("/chat/regular/stream", defaults={"kind": "regular", "stream": True})
@bp.post("/chat/vision", defaults={"kind": "vision", "stream": False})
@bp.post("/chat/vision/stream", defaults={"kind": "vision", "stream": True})
def chat(kind: str, stream: bool) -> Response:
    """Chat: with the model named, or with the default one for text or for pictures."""
    started_ns = time.perf_counter_ns()
    ask = read(_CHAT, request.get_data(cache=False))
    target = _target((ask["model_key"] if kind == "any" else "") or _default(kind))
    payload = records.chat_payload(ask["messages"], ask["config"] or {}, target.model)
    payload = inherited_payload(CHAT, {**payload, "model": target.identifier}, target.entry)
    need = Need(target=target, context=context_of(target.entry))
    completion = Completion(services(), need, client_gone(request.environ), started_ns).open(CHAT, payload)
    reader = AnswerReader(Reading(mode="hide"))
    if stream:
        lines = _lines(completion, reader, target.model.key)
        return streamed(lines, completion.owned, mimetype=NDJSON, to_error=records.broke)
    with completion.owned:
        answer = Answer()
        for events in completion:
            answer.add(reader.feed(events))
        answer.add(reader.finish())
        totals = completion.totals(reader)
        return json_response(
            records.whole(target.model.key, answer.text, reader.finish_reason or "stop", totals.eval_count)
        )


@bp.get("/help")
def help_() -> Response:
    """List the routes of this service and what each does."""
    return json_response({"service": "flask-shim", "endpoints": list(_endpoints())})


def _lines(completion: Completion, reader: AnswerReader, model: str) -> Iterator[bytes]:
    for events in completion:
        yield b"".join(map(records.fragment, reader.feed(events)))
    yield b"".join(map(records.fragment, reader.finish()))
    yield records.done(model, reader.finish_reason or "stop", completion.totals(reader).eval_count)


def _default(kind: str) -> str:
    config = services().config
    return config.default_vision_model if kind == "vision" else config.default_regular_model


def _target(name: str) -> Target:
    target = services().directory.find(name)
    if target is None:
        raise ModelNotFound(f"Model not found: {name}")
    return target


def _loaded(model: Model) -> dict[str, Any]:
    return {
        **records.described(model),
        "type": model.kind.value,
        "context_length": model.loaded_context_length,
        "instances": [instance.id for instance in model.instances],
    }


def _loaded_models() -> list[Model]:
    return [model for model in services().backend.listing(max_age=0).models if model.is_loaded]


def _load(target: Target, settings: dict[str, Any], call: Call) -> None:
    residents = services().residents
    with residents.turn(residents.of(target.model.key), call):
        services().backend.load(target.model.key, call=call, **settings)


def _unload(loaded: list[Model], call: Call) -> list[str]:
    for model in loaded:
        services().backend.unload(model, call=call)
    return [model.key for model in loaded]


def _unloaded(keys: list[str], error: str | None) -> Response:
    return json_response({"success": error is None, "unloaded_keys": keys, "error": error})


def _endpoints() -> Iterator[dict[str, Any]]:
    for rule in current_app.url_map.iter_rules():
        if rule.endpoint.startswith(f"{bp.name}."):
            view = current_app.view_functions[rule.endpoint]
            summary = (view.__doc__ or "").strip().partition("\n")[0]
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield {"method": method, "path": rule.rule, "description": summary}
