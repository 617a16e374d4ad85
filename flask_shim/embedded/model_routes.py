"""The routes about models: three lists, load, unload, download."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from flask import Blueprint, Response, g

from flask_shim.embedded import error_bodies, model_lists
from flask_shim.embedded.engine import LoadConfig
from flask_shim.embedded.error_bodies import json_answer
from flask_shim.embedded.library import Entry
from flask_shim.embedded.mini_services import disconnect_check, mini_services
from flask_shim.lmstudio.errors import ModelLoadError

routes = Blueprint("models", __name__)

LOAD_FIELDS: dict[str, type] = {
    "model": str,
    "context_length": int,
    "eval_batch_size": int,
    "flash_attention": bool,
    "num_experts": int,
    "offload_kv_cache_to_gpu": bool,
    "echo_load_config": bool,
}
"""The fields of a load, with their JSON types."""
UNLOAD_FIELDS: dict[str, type] = {"instance_id": str}
DOWNLOAD_FIELDS: dict[str, type] = {"model": str, "quantization": str}
TYPE_WORDS = {str: "string", int: "number", bool: "boolean"}


@routes.get("/lmstudio-greeting")
def greeting() -> Response:
    """Say that this is LM Studio's API."""
    return json_answer({"lmstudio": True})


@routes.get("/v1/models")
def openai_models() -> Response:
    """List the names of the models."""
    return json_answer({"data": [model_lists.openai_item(id_) for id_ in _openai_ids()], "object": "list"})


@routes.get("/v1/models/<path:id_>")
def openai_model(id_: str) -> Response:
    """Show one model's entry."""
    if unquote(id_) not in _openai_ids():
        raise error_bodies.unknown_model(id_, _openai_ids())
    return json_answer(model_lists.openai_item(unquote(id_)))


@routes.get("/api/v0/models")
def v0_models() -> Response:
    """List the models with type and state."""
    items = [_v0_item(entry) for entry in mini_services().library.entries()]
    return json_answer({"object": "list", "data": items})


@routes.get("/api/v0/models/<path:id_>")
def v0_model(id_: str) -> Response:
    """Show one model."""
    entry = mini_services().library.find(unquote(id_))
    if entry is None:
        raise error_bodies.unknown_native_model(id_, _openai_ids())
    return json_answer(_v0_item(entry))


@routes.get("/api/v1/models")
def v1_models() -> Response:
    """List the models with their loaded instances."""
    services = mini_services()
    slots = services.settings.slots
    items = [
        model_lists.v1_item(entry, services.loaded_models.of(entry.key), slots) for entry in services.library.entries()
    ]
    return json_answer({"models": items})


@routes.post("/api/v1/models/load")
def load() -> Response:
    """Load one more instance of a model."""
    services, body = mini_services(), _check_body(g.body, LOAD_FIELDS, required="model")
    entry = services.library.find(body["model"])
    if entry is None:
        raise error_bodies.unknown_native_model(body["model"], _openai_ids())
    try:
        instance = services.loaded_models.load(entry, _load_config(entry, body), disconnect_check())
    except ModelLoadError as exc:
        text = error_bodies.load_failure_text(entry.key, exc.text)
        raise error_bodies.native(text, "model_load_failed", kind="model_load_failed", status=500) from exc
    answer = {
        "type": entry.type,
        "instance_id": instance.id,
        "load_time_seconds": round(instance.load_seconds, 3),
        "status": "loaded",
    }
    echo = {"load_config": model_lists.load_config(entry, instance.config)} if body.get("echo_load_config") else {}
    return json_answer(answer | echo)


@routes.post("/api/v1/models/unload")
def unload() -> Response:
    """Unload one instance."""
    instance_id = _check_body(g.body, UNLOAD_FIELDS, required="instance_id")["instance_id"]
    if not mini_services().loaded_models.unload(instance_id):
        text = f'Cannot find a loaded model instance with id "{instance_id}".'
        raise error_bodies.native(text, "model_not_found", "instance_id", "model_not_found", 404)
    return json_answer({"instance_id": instance_id})


@routes.post("/api/v1/models/download")
def download() -> Response:
    """Refuse a download, as there is no catalogue."""
    name = _check_body(g.body, DOWNLOAD_FIELDS, required="model")["model"]
    text = f'Model "{name}" can\'t be downloaded: this server has no model catalog.'
    raise error_bodies.native(text, "model_not_found", "model", "model_not_found", 404)


@routes.get("/api/v1/models/download/status/<job_id>")
def download_status(job_id: str) -> Response:
    """Refuse an unknown job."""
    raise error_bodies.native(f'Job "{job_id}" not found.', "job_not_found", "job_id", "job_not_found", 404)


def _openai_ids() -> list[str]:
    """Return the names in ``/v1/models``: all models and further instances."""
    keys = [entry.key for entry in mini_services().library.entries()]
    return keys + [instance.id for instance in mini_services().loaded_models.all() if instance.id not in keys]


def _v0_item(entry: Entry) -> model_lists.Payload:
    return model_lists.v0_item(entry, mini_services().loaded_models.of(entry.key))


def _check_body(body: dict[str, Any], fields: dict[str, type], *, required: str) -> dict[str, Any]:
    """Return ``body`` if it has only known fields of the right type; ``/api/v1`` is strict."""
    unknown = [f"'{name}'" for name in body if name not in fields]
    if unknown:
        raise error_bodies.native(f"Unrecognized key(s) in object: {', '.join(unknown)}", "unrecognized_keys")
    if required not in body:
        raise error_bodies.native(f'"{required}" is required', "missing_required_parameter", required)
    for name, value in body.items():
        # A bool is an int to Python, but not to JSON.
        if type(value) is not fields[name]:
            raise error_bodies.native(f"Expected {TYPE_WORDS[fields[name]]}", "invalid_type", name)
    return body


def _load_config(entry: Entry, body: dict[str, Any]) -> LoadConfig:
    """Return the defaults with the requested values; reject a context that the model cannot have."""
    wanted = {name: body[name] for name in LoadConfig.__dataclass_fields__ if name in body}
    default = LoadConfig(context_length=min(mini_services().settings.context_length, entry.max_context_length))
    config = replace(default, **wanted)
    if not 0 < config.context_length <= entry.max_context_length:
        limit = f"between 1 and {entry.max_context_length}"
        raise error_bodies.native(f"context_length must be {limit} for this model", "invalid_value", "context_length")
    return config
