"""Model lists: all models, one model's details, the loaded models."""

from __future__ import annotations

import time
from contextlib import closing
from functools import lru_cache

import orjson
from flask import Blueprint, Response, request

from flask_shim.error_responses import JSON_UTF8, json_response
from flask_shim.inference.forwarding import forward_list
from flask_shim.models.registry import ModelNames, ResolvedModel
from flask_shim.routes.naming import SHOW_NAMING
from flask_shim.schemas.ollama_requests import load_show
from flask_shim.services import services
from flask_shim.translate.ollama.listing import to_ps, to_tags
from flask_shim.translate.ollama.showing import to_show
from flask_shim.translate.openai.model_list import complete_models, to_openai_model

PS_SECONDS = 1.0
"""How old the list of loaded models may be: VS Code polls it many times a second."""

bp = Blueprint("models", __name__)


@bp.get("/api/version")
def version() -> Response:
    """Return the version of Ollama whose API this is."""
    return json_response({"version": services().config.ollama_version})


@bp.get("/api/tags")
def tags() -> Response:
    """List all models."""
    listing = services().backends.listing(must_answer=True)
    return Response(_tags_body(services().registry.names(listing)), content_type=JSON_UTF8)


@lru_cache(maxsize=4)
def _tags_body(names: ModelNames) -> bytes:
    return orjson.dumps(to_tags(names.entries))


@bp.post("/api/show")
def show() -> Response:
    """Describe one model."""
    api_request = load_show(request.get_data(cache=False))
    services().backends.listing(must_answer=True)
    target = SHOW_NAMING.resolve(api_request.model)
    if api_request.system or api_request.options:
        return json_response(to_show(target.entry, system=api_request.system, options=api_request.options))
    return Response(_show_body(target), content_type=JSON_UTF8)


@lru_cache(maxsize=64)
def _show_body(target: ResolvedModel) -> bytes:
    return orjson.dumps(to_show(target.entry))


@bp.get("/api/ps")
def ps() -> Response:
    """List the loaded models, by their own names, and when each is unloaded."""
    listing = services().backends.listing(max_age=PS_SECONDS)
    running = [
        (entry, services().manager.seconds_left(entry.model))
        for entry in services().registry.models(listing)
        if entry.model.is_loaded
    ]
    return json_response(to_ps(running, time.time_ns()))


@bp.get("/v1/models")
def openai_models() -> Response:
    """Answer with LM Studio's list, completed and with the aliases appended; of several, with all their models."""
    registry, backends = services().registry, services().backends
    data, mimetype = b"", "application/json"
    if len(backends) == 1:
        own = forward_list(backends.first, "/v1/models")
        with closing(own):
            data = b"".join(own.iter_encoded())
        mimetype = own.mimetype or mimetype
    listing = backends.listing()
    aliases = [to_openai_model(entry.name, entry) for entry in registry.aliases(listing)]
    models = [to_openai_model(entry.model.key, entry) for entry in registry.models(listing)]
    data = data or orjson.dumps({"object": "list", "data": models})
    return Response(complete_models(data, aliases, models), mimetype=mimetype)


@bp.get("/v1/models/<path:name>")
def openai_model(name: str) -> Response:
    """Describe one model as Ollama does; its name may contain slashes."""
    services().backends.listing(must_answer=True)
    return json_response(to_openai_model(name, SHOW_NAMING.resolve(name).entry))
