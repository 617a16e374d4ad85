"""Resolve the name of a model as LM Studio does."""

from __future__ import annotations

from typing import Any, NamedTuple

from flask_shim.embedded import error_bodies
from flask_shim.embedded.library import Entry, Library
from flask_shim.embedded.loaded_models import MiniLoadedModel, MiniLoadedModels


class MiniTarget(NamedTuple):
    """A model, and the loaded instance if one was named."""

    entry: Entry
    instance_id: str | None


def resolve(
    name: Any, library: Library, instances: MiniLoadedModels, *, wants_embedding: bool, jit: bool
) -> MiniTarget:
    """Return the model that answers to ``name`` on ``/v1`` and ``/api/v0``, or raise LM Studio's error.

    If exactly one LLM is loaded, LM Studio uses it for any unknown name.
    """
    loaded = [instance for instance in instances.all() if instance.entry.is_embedding == wants_embedding]
    named = _named(name, loaded)
    if named:
        return named
    entry = library.find(name) if isinstance(name, str) else None
    if entry and entry.is_embedding == wants_embedding and jit:
        return MiniTarget(entry, None)
    texts = [instance for instance in loaded if instance.entry.type == "llm"]
    if len(texts) == 1:
        return MiniTarget(texts[0].entry, texts[0].id)
    raise _not_found(name, entry, library, loaded, wants_embedding=wants_embedding, jit=jit)


def _named(name: Any, loaded: list[MiniLoadedModel]) -> MiniTarget | None:
    for instance in loaded:
        if name in (instance.id, instance.entry.key):
            return MiniTarget(instance.entry, instance.id if name == instance.id else None)
    return None


def _not_found(
    name: Any, entry: Entry | None, library: Library, loaded: list[MiniLoadedModel], *, wants_embedding: bool, jit: bool
) -> error_bodies.LMStudioError:
    shown = name if isinstance(name, str) else ""
    keys = [known.key for known in library.entries() if known.type == ("embedding" if wants_embedding else "llm")]
    if loaded and not wants_embedding:
        return error_bodies.ambiguous_model(shown, keys)
    # An LLM asked for embeddings gets the same text as no model at all.
    if not jit or (entry and wants_embedding):
        return error_bodies.plain(error_bodies.NO_MODELS_LOADED)
    return error_bodies.unknown_model(shown, keys)
