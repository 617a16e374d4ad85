"""OpenAI's list of models: LM Studio's, completed, with the aliases at its end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from flask_shim.translate.ollama.alias import alias_key
from flask_shim.translate.ollama.listing import Entry
from flask_shim.translate.ollama.names import display


def to_openai_model(name: str, entry: Entry) -> dict[str, Any]:
    """Return a model as OpenAI lists it, in Ollama's way."""
    return {
        "id": name,
        "object": "model",
        "created": entry.modified_ns // 1_000_000_000,
        "owned_by": entry.model.publisher or "library",
    }


def complete_models(data: bytes, items: Iterable[Mapping[str, Any]], own: Iterable[Mapping[str, Any]]) -> bytes:
    """Return the bytes of OpenAI's model list with ``items`` at its end; a name that it has already is not repeated.

    LM Studio's rows lack ``created``, which clients require (JetBrains/koog#139); they get that of the same row of
    ``own``. Other data is returned unchanged.
    """
    try:
        body = orjson.loads(data)
        created = {item["id"]: item["created"] for item in own}
        models = [{"created": created.get(model["id"], 0), **model} for model in body["data"]]
        listed = {alias_key(display(str(model["id"]))) for model in models}
    except (ValueError, TypeError, KeyError):
        return data
    return orjson.dumps({**body, "data": [*models, *(item for item in items if alias_key(item["id"]) not in listed)]})
