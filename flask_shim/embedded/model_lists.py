"""The entries of models in the three versions of LM Studio's API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from flask_shim.embedded.engine import LoadConfig
from flask_shim.embedded.library import Entry
from flask_shim.embedded.loaded_models import MiniLoadedModel

Payload = dict[str, Any]


def openai_item(id_: str) -> Payload:
    """Return a model in ``/v1/models``."""
    return {"id": id_, "object": "model", "owned_by": "organization_owner"}


def v0_item(entry: Entry, copies: Sequence[MiniLoadedModel]) -> Payload:
    """Return a model in ``/api/v0/models``."""
    kind = "embeddings" if entry.is_embedding else "vlm" if entry.has_vision else entry.type
    item: Payload = {
        "id": entry.key,
        "object": "model",
        "type": kind,
        "publisher": entry.publisher,
        "arch": entry.architecture,
        "compatibility_type": "gguf",
        "quantization": entry.quantization,
        "state": "loaded" if copies else "not-loaded",
        "max_context_length": entry.max_context_length,
    }
    if copies:
        item["loaded_context_length"] = copies[0].config.context_length
    if entry.has_tools:
        item["capabilities"] = ["tool_use"]
    return item


def v1_item(entry: Entry, copies: Sequence[MiniLoadedModel], slots: int) -> Payload:
    """Return a model in ``/api/v1/models``; each copy runs as many predictions at once as it has ``slots``."""
    parallel = {} if entry.is_embedding else {"parallel": slots}
    item: Payload = {
        "type": entry.type,
        "publisher": entry.publisher,
        "key": entry.key,
        "display_name": entry.display_name,
        "architecture": entry.architecture,
        "quantization": {"name": entry.quantization, "bits_per_weight": entry.bits_per_weight},
        "size_bytes": entry.size_bytes,
        "params_string": entry.params_string,
        "loaded_instances": [
            {"id": copy.id, "config": load_config(entry, copy.config) | parallel} for copy in copies
        ],
        "max_context_length": entry.max_context_length,
        "format": "gguf",
    }  # fmt: skip
    if entry.is_embedding:
        del item["architecture"]
        return item
    capabilities: Payload = {"vision": entry.has_vision, "trained_for_tool_use": entry.has_tools}
    if entry.reasoning:
        capabilities["reasoning"] = {
            "allowed_options": list(entry.reasoning.options),
            "default": entry.reasoning.default,
        }
    return item | {"capabilities": capabilities, "description": None}


def load_config(entry: Entry, config: LoadConfig) -> Payload:
    """Return the configuration that a model was loaded with; for an embedding model only its context."""
    if entry.is_embedding:
        return {"context_length": config.context_length}
    return {name: value for name, value in asdict(config).items() if value is not None}
