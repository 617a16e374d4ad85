"""The service's models: which are loaded, and the wish to load or unload one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import Blueprint, Response, request

from flask_shim.directory import Target
from flask_shim.errors import BackendUnavailable, Busy, ClientGone, ModelNotFound, ShimError
from flask_shim.faces import json_response
from flask_shim.guards import check_may_change
from flask_shim.lmstudio import Call, Model
from flask_shim.schemas.service import LoadSchema, UnloadSchema, read
from flask_shim.services import services
from flask_shim.stays import lasting, load_as, unload
from flask_shim.streams import client_gone
from flask_shim.translate.service import described, listed

bp = Blueprint("models", __name__)

_LOAD, _UNLOAD = LoadSchema(), UnloadSchema()

_TOLD_BY_STATUS = (BackendUnavailable, Busy, ClientGone)
"""Failures that say nothing about the model; all others are part of an answer with status 200."""


@bp.get("/models")
def models() -> Response:
    """List the loaded models."""
    return json_response({"models": [listed(model) for model in _loaded()]})


@bp.post("/models/load")
def load_model() -> Response:
    """Load a model, alone if "exclusive"; it stays until it is unloaded."""
    check_may_change(services().config)
    ask = read(_LOAD, request.get_data(cache=False))
    key, is_exclusive, context = ask.pop("model_key"), ask.pop("exclusive"), ask.pop("context_length", 0)
    try:
        services().backend.listing(max_age=0)  # somebody may have unloaded it in LM Studio
        target = find(key)
        with services().work(client_gone(request.environ)) as call:
            if is_exclusive:
                _unload([model for model in _loaded() if model.key != target.model.key], call)
            load_as(services(), lasting(services(), target, context), call, ask)
    except _TOLD_BY_STATUS:
        raise
    except ShimError as exc:
        return json_response({"loaded": False, "error": _why_not(exc)})
    return json_response({"loaded": True, "model": described(target.model), "error": None})


@bp.post("/models/unload")
def unload_models() -> Response:
    """Unload one model, or all; answers that are being made may end before."""
    check_may_change(services().config)
    ask = read(_UNLOAD, request.get_data(cache=False))
    if not ask["unload_all"] and not ask["model_key"]:
        return _unloaded([], "Must specify model_key or unload_all=true")
    keys: list[str] = []
    try:
        with services().work(client_gone(request.environ)) as call:
            keys += _unload(_loaded() if ask["unload_all"] else _loaded_as(ask["model_key"]), call)
    except _TOLD_BY_STATUS:
        raise
    except ShimError as exc:
        return _unloaded(keys, exc.text)
    return _unloaded(keys, None)


def find(name: str) -> Target:
    """Return the model of that name; ModelNotFound in the service's words."""
    target = services().directory.find(name)
    if target is None:
        raise ModelNotFound(f"Model not found: {name}")
    return target


def _loaded() -> list[Model]:
    return services().backend.listing(max_age=0).loaded()


def _loaded_as(name: str) -> list[Model]:
    """Return the model of that name if it is loaded, or may be."""
    listing = services().backend.listing(max_age=0)
    model = find(name).model
    return [model] if model.is_loaded or not listing.generation.tells_state else []


def _unload(loaded: Iterable[Model], call: Call) -> list[str]:
    keys = []
    for model in loaded:
        unload(services(), model, call)
        keys.append(model.key)
    return keys


def _why_not(exc: ShimError) -> str:
    text = "Model not found" if isinstance(exc, ModelNotFound) else exc.text
    head = "Failed to load model"
    return text if text.startswith(head) else f"{head}: {text}"  # LM Studio begins with these words, too


def _unloaded(keys: list[str], error: str | None) -> Response:
    body: dict[str, Any] = {"success": error is None, "unloaded_keys": keys, "error": error}
    return json_response(body)
