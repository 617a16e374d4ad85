"""The available models in the form of Ollama's recommendations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask_shim.lmstudio.model import Kind
from flask_shim.translate.ollama.listing import Entry, context_length


def to_recommendations(entries: Iterable[Entry]) -> dict[str, Any]:
    """Return the body of /api/experimental/model-recommendations, without embedding models."""
    recommendations = []
    for entry in entries:
        model, length = entry.model, context_length(entry)
        if model.kind is Kind.LLM:
            facts = (model.display_name, model.parameters, model.quantization, "in LM Studio")
            shown = {"model": entry.name, "description": " ".join(filter(None, facts))}
            recommendations.append(shown if length is None else {**shown, "context_length": length})
    return {"recommendations": recommendations}
