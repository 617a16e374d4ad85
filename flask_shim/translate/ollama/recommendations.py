"""The models there are as Ollama recommends models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask_shim.lmstudio.model import Kind
from flask_shim.translate.ollama.listing import Entry, context_length


def to_recommendations(entries: Iterable[Entry]) -> dict[str, Any]:
    """Return the body of /api/experimental/model-recommendations; embedding models are nothing to talk to."""
    return {"recommendations": [_recommendation(entry) for entry in entries if entry.model.kind is Kind.LLM]}


def _recommendation(entry: Entry) -> dict[str, Any]:
    model = entry.model
    facts = (model.display_name, model.parameters, model.quantization, "in LM Studio")
    told: dict[str, Any] = {"model": entry.name, "description": " ".join(filter(None, facts))}
    if (length := context_length(model)) is not None:
        told["context_length"] = length
    return told
