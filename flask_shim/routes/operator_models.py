"""The operator's models: list them with their state, load and unload. Pulls: :mod:`flask_shim.routes.pull`."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, request

from flask_shim.error_responses import json_response
from flask_shim.lmstudio import Model
from flask_shim.middleware.web_pages import polled_response
from flask_shim.models.backends import Backend
from flask_shim.models.loader import ModelRequirements
from flask_shim.models.registry import ResolvedModel
from flask_shim.routes.model_requests import load, unload
from flask_shim.routes.naming import SHOW_NAMING
from flask_shim.schemas.service_schemas import OperatorLoadSchema, OperatorUnloadSchema, read
from flask_shim.services import services
from flask_shim.translate.ollama.alias_defaults import context_of
from flask_shim.translate.ollama.listing import Entry

LIST_SECONDS = 1.0
"""How old the list may be: pages and terminals poll it."""

bp = Blueprint("operator_models", __name__)

_LOAD, _UNLOAD = OperatorLoadSchema(), OperatorUnloadSchema()


@bp.get("/shim/models")
def list_models() -> Response:
    """List all models with their size, context and state."""
    listing = services().backends.listing(max_age=LIST_SECONDS)
    copies = services().backends.places_by_model(listing)
    rows = [_row(entry) | _places(copies, entry) for entry in services().registry.models(listing)]
    return polled_response({"models": rows})


@bp.post("/shim/models/load")
def load_model() -> Response:
    """Load a model, with at least this context; without ``ttl_seconds`` it stays loaded until it is unloaded."""
    wanted = read(_LOAD, request.get_data(cache=False))
    target = SHOW_NAMING.resolve(wanted["model"])
    config = services().config
    of_profile = target.entry.profile.keep_alive
    default_ttl = (config.default_ttl or math.inf) if of_profile is None else of_profile
    load(
        ModelRequirements(
            target=target,
            keep_alive=wanted.get("ttl_seconds", default_ttl),
            context=wanted.get("context_length") or context_of(target.entry) or config.default_context,
            must_fit=True,
        )
    )
    return json_response({"model": _row_now(target)})


@bp.post("/shim/models/unload")
def unload_model() -> Response:
    """Unload a model; one in use is unloaded after its last answer, and still listed as loaded here."""
    target = SHOW_NAMING.resolve(read(_UNLOAD, request.get_data(cache=False))["model"])
    unload(target)
    return json_response({"model": _row_now(target)})


def _row_now(target: ResolvedModel) -> dict[str, Any]:
    listing = services().backends.listing(max_age=0)
    entries = services().registry.models(listing)
    return _row(next((entry for entry in entries if entry.model.key == target.model.key), target.entry))


def _row(entry: Entry) -> dict[str, Any]:
    """Return the JSON of a model; null is unknown, an ``expires_at`` of null says that no end is set."""
    model = entry.model
    return {
        "name": entry.name,
        "key": model.key,
        "kind": model.kind.value,
        "size_bytes": model.size_bytes,
        "max_context_length": model.max_context_length,
        "context_length": model.loaded_context_length,
        "is_loaded": model.is_loaded,
        "expires_at": expires_at(model),
    }


def _places(copies: Mapping[str, Sequence[tuple[Backend, Model]]], entry: Entry) -> dict[str, Any]:
    """Return the JSON of a model's places, if there are several LM Studios."""
    places = [
        {"name": backend.name, "is_loaded": model.is_loaded, "context_length": model.loaded_context_length}
        for backend, model in copies.get(entry.model.key, ())
    ]
    return {"backends": places} if copies else {}


def expires_at(model: Model) -> str | None:
    """Return when a model is unloaded; None if no end is set, or it is not loaded."""
    seconds = services().manager.seconds_left(model) if model.is_loaded else math.inf
    if math.isinf(seconds):
        return None
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(round(time.time() + seconds)))
