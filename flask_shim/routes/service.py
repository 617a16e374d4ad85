"""The service routes: load and unload models, and chat with a named or a default model.

Their clients expect other error texts and another envelope than Ollama's.
"""

from __future__ import annotations

from flask import Blueprint, Response, current_app, request

from flask_shim._version import __version__
from flask_shim.error_responses import error_response, json_response
from flask_shim.errors import ShimError
from flask_shim.inference.respond import send_completion
from flask_shim.lmstudio import Model
from flask_shim.lmstudio.errors import BackendUnavailable, ClientDisconnected, ModelNotFound, NoModelLoaded, ServerBusy
from flask_shim.models.registry import ResolvedModel
from flask_shim.observability.request_context import current
from flask_shim.routes.model_requests import new_chat
from flask_shim.schemas.service_schemas import ChatSchema, LoadSchema, UnloadSchema, read
from flask_shim.services import services
from flask_shim.translate.answer.answer_reader import ReaderOptions
from flask_shim.translate.ollama.alias_defaults import context_of
from flask_shim.translate.ollama.capabilities import check_chat, has_thinking
from flask_shim.translate.service_records import (
    ServiceChatEncoder,
    chat_payload,
    describe_loaded_model,
    describe_model,
)

bp = Blueprint("service", __name__)

_CHAT, _LOAD, _UNLOAD = ChatSchema(), LoadSchema(), UnloadSchema()

_SHARED_ROUTES = ("/health",)
"""Routes of other blueprints that are part of this service."""

_STATUS_ERRORS = (BackendUnavailable, ServerBusy, ClientDisconnected)
"""Errors that are not about the model; others are part of an answer with status 200."""


@bp.errorhandler(ShimError)
def _send_error(exc: ShimError) -> Response:
    current().fail(exc)
    if isinstance(exc, BackendUnavailable):
        exc = ShimError(f"Could not connect to LM Studio: {exc.why.capitalize()}", status=503)
    elif isinstance(exc, NoModelLoaded) or isinstance(exc.__cause__, NoModelLoaded):
        exc = ShimError("Chat service unavailable: No model loaded", status=503)
    return error_response(exc, request.path)


@bp.get("/help")
def help_() -> Response:
    """List the routes of this service and what each does."""
    endpoints = []
    for rule in current_app.url_map.iter_rules():
        if rule.endpoint.startswith(f"{bp.name}.") or rule.rule in _SHARED_ROUTES:
            summary = (current_app.view_functions[rule.endpoint].__doc__ or "").strip().partition("\n")[0]
            methods = sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
            endpoints += [{"method": method, "path": rule.rule, "description": summary} for method in methods]
    return json_response({"service": "flask-shim", "version": __version__, "endpoints": endpoints})


@bp.get("/models")
def models() -> Response:
    """List the loaded models."""
    return json_response({"models": [describe_loaded_model(model) for model in _loaded_models()]})


@bp.post("/models/load")
def load_model() -> Response:
    """Load a model without a TTL, after unloading all others if "exclusive"."""
    services().manager.check_may_change()
    api_request = read(_LOAD, request.get_data(cache=False))
    is_exclusive, context = api_request.pop("exclusive"), api_request.pop("context_length", 0)
    try:
        target = _find(api_request.pop("model_key"))
        with services().manager.admit() as call:
            if is_exclusive:
                listing = services().backends.listing(max_age=0)
                for model in target.backend.client.listing().loaded():
                    if model.key != target.model.key:
                        services().manager.unload(services().registry.of(model, listing).at(target.backend), call)
            context = context or context_of(target.entry)
            services().manager.load_pinned(target, call, context=context, settings=api_request, must_fit=True)
    except _STATUS_ERRORS:
        raise
    except ShimError as exc:
        text = "Model not found" if isinstance(exc, ModelNotFound) else exc.text
        head = "Failed to load model"  # LM Studio's own texts may start like this
        return json_response({"loaded": False, "error": text if text.startswith(head) else f"{head}: {text}"})
    return json_response({"loaded": True, "model": describe_model(target.model), "error": None})


@bp.post("/models/unload")
def unload_models() -> Response:
    """Unload one model, or all; a model in use is unloaded after its last answer."""
    services().manager.check_may_change()
    api_request = read(_UNLOAD, request.get_data(cache=False))
    unload_all, key = api_request["unload_all"], api_request["model_key"]
    keys: list[str] = []
    error = None if unload_all or key else "Must specify model_key or unload_all=true"
    try:
        if error is None:
            with services().manager.admit() as call:
                for model in _loaded_models() if unload_all else _loaded_as(key):
                    services().manager.unload(services().registry.of(model, services().backends.listing()), call)
                    keys.append(model.key)
    except _STATUS_ERRORS:
        raise
    except ShimError as exc:
        error = exc.text
    return json_response({"success": error is None, "unloaded_keys": keys, "error": error})


def _find(name: str) -> ResolvedModel:
    """Return the model of that name; raise ModelNotFound with the service's text."""
    target = services().registry.find(name)
    if target is None:
        raise ModelNotFound(f"Model not found: {name}")
    return target


def _loaded_models() -> list[Model]:
    return services().backends.listing(max_age=0).loaded()


def _loaded_as(name: str) -> list[Model]:
    """Return the model of that name, or nothing if LM Studio reports that it is not loaded."""
    listing = services().backends.listing(max_age=0)
    model = _find(name).model
    return [model] if model.is_loaded or not listing.reports_state else []


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
    api_request = read(_CHAT, request.get_data(cache=False))
    config = api_request["config"] or {}
    current().options = tuple(config)
    target = _find_or_default(model or api_request["model_key"])
    check_chat(target.name, (), target.model)
    payload = chat_payload(api_request["messages"], config, services().defaults)
    completion = new_chat(target, payload)
    # The protocol has no field for thinking: it is part of the answer or hidden.
    is_merged = services().config.reasoning == "merge" and not current().hides_thinking
    options = ReaderOptions(mode="merge" if is_merged else "hide", can_think=has_thinking(target.model))
    return send_completion(completion, ServiceChatEncoder(target.model.key), options, stream=stream)


def _find_or_default(name: str) -> ResolvedModel:
    """Return the model of that name, by default the one for text; NoModelLoaded if a default one does not exist."""
    config = services().config
    name = name or config.default_regular_model
    try:
        return _find(name)
    except ModelNotFound as exc:
        if name in (config.default_regular_model, config.default_vision_model):
            listing = services().backends.listing(max_age=0)
            if listing.reports_state and not listing.loaded():
                raise NoModelLoaded(exc.text) from exc
        raise
