"""Entries of the model list to be shown, and the keys that clients are shown them with."""

from __future__ import annotations

import json
import re

from flask_shim.lmstudio.api_versions import ApiVersion, read_list
from flask_shim.lmstudio.model import Model
from flask_shim.translate.ollama.listing import Entry
from flask_shim.translate.ollama.names import display
from support.recorded import OPENAI, V0, V1

NOW = 1_795_168_210_000_000_000
LISTS = {ApiVersion.V1: V1, ApiVersion.V0: V0, ApiVersion.OPENAI: OPENAI}
TAG_KEYS = ["name", "model", "modified_at", "size", "digest", "details", "capabilities"]
DETAIL_KEYS = ["parent_model", "format", "family", "families", "parameter_size", "quantization_level"]
PS_KEYS = ["name", "model", "size", "digest", "details", "expires_at", "size_vram", "context_length"]
SHOW_KEYS = [
    *("license", "modelfile", "parameters", "template", "system", "details", "messages", "model_info"),
    *("capabilities", "thinking", "modified_at", "requires"),
]
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?(Z|[+-]\d\d:\d\d)")


def entry(model=None, **fields):
    """Return a model's entry under its own name."""
    model = model or Model(key="m")
    return Entry(**{"name": display(model.key), "model": model, "modified_ns": NOW, **fields})


def entries(generation):
    """Return the entries of the list recorded of a generation."""
    return [entry(model) for model in read_list(generation, LISTS[generation])]


GEMMA = entries(ApiVersion.V1)[0]


def as_json(value):
    """Return what a client decodes."""
    return json.loads(json.dumps(value))
