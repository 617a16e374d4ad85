"""The service's models: list the loaded ones, load and unload."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Blueprint, Response, request

from flask_shim.error_responses import json_response
from flask_shim.errors import ShimError
from flask_shim.inference.streaming import disconnect_check
from flask_shim.lmstudio import BackendCall, Model
from flask_shim.lmstudio.errors import BackendUnavailable, ClientDisconnected, ModelNotFound, ServerBusy
from flask_shim.models.registry import ResolvedModel
from flask_shim.schemas.service_schemas import LoadSchema, UnloadSchema, read
from flask_shim.services import services
from flask_shim.translate.ollama.alias_defaults import context_of
from flask_shim.translate.service_records import describe_loaded_model, describe_model

bp = Blueprint("models", __name__)

_LOAD, _UNLOAD = LoadSchema(), UnloadSchema()

_STATUS_ERRORS = (BackendUnavailable, ServerBusy, ClientDisconnected)
"""Errors that are not about the model; others are part of an answer with status 200."""


@bp.get("/models")
def models() -> Response:
    """List the loaded models."""
    return json_response({"models": [describe_loaded_model(model) for model in _loaded()]})


@bp.post("/models/load")
def load_model() -> Response:
    """Load a model without a TTL, after unloading all others if "exclusive"."""
    services().manager.check_may_change()
    api_request = read(_LOAD, request.get_data(cache=False))
    key, is_exclusive, context = (
        api_request.pop("model_key"),
        api_request.pop("exclusive"),
        api_request.pop("context_length", 0),
    )
    try:
        target = find(key)
        with services().manager.admit(disconnect_check(request.environ)) as call:
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
            with services().manager.admit(disconnect_check(request.environ)) as call:
                keys += _unload(_loaded() if unload_all else _loaded_as(key), call)
    except _STATUS_ERRORS:
        raise
    except ShimError as exc:
        error = exc.text
    return json_response({"success": error is None, "unloaded_keys": keys, "error": error})


def find(name: str) -> ResolvedModel:
    """Return the model of that name; raise ModelNotFound with the service's text."""
    target = services().registry.find(name)
    if target is None:
        raise ModelNotFound(f"Model not found: {name}")
    return target


def _loaded() -> list[Model]:
    return services().backends.listing(max_age=0).loaded()


def _loaded_as(name: str) -> list[Model]:
    """Return the model of that name, or nothing if LM Studio reports that it is not loaded."""
    listing = services().backends.listing(max_age=0)
    model = find(name).model
    return [model] if model.is_loaded or not listing.reports_state else []


def _unload(loaded: Iterable[Model], call: BackendCall) -> list[str]:
    keys = []
    for model in loaded:
        services().manager.unload(services().registry.of(model, services().backends.listing()), call)
        keys.append(model.key)
    return keys
