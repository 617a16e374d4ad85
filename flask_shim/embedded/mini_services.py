"""The parts of one miniature LM Studio, and what every route needs of them."""

from __future__ import annotations

from typing import Any, NamedTuple

from flask import current_app, request

from flask_shim.embedded import error_bodies
from flask_shim.embedded.engine import IsDisconnected, require_engine
from flask_shim.embedded.library import Entry, Library
from flask_shim.embedded.loaded_models import MiniLoadedModel, MiniLoadedModels
from flask_shim.embedded.mini_settings import MiniSettings
from flask_shim.lmstudio.errors import ModelLoadError


class MiniTarget(NamedTuple):
    """A model, and the loaded instance if one was named."""

    entry: Entry
    instance_id: str | None


class MiniServices:
    """The library and the loaded models of one miniature."""

    def __init__(self, settings: MiniSettings) -> None:
        """Load no model yet; raise NotSupported if the engine is not installed."""
        require_engine()
        self.settings = settings
        self.library = Library(settings.models, has_decisions=settings.generation == "v1")
        self.loaded_models = MiniLoadedModels(settings)

    def resolve(self, name: Any, *, wants_embedding: bool = False) -> MiniTarget:
        """Return the model that answers to ``name`` on ``/v1`` and ``/api/v0``, or raise LM Studio's error.

        If exactly one LLM is loaded, LM Studio uses it for any unknown name.
        """
        loaded = [each for each in self.loaded_models.all() if each.entry.is_embedding == wants_embedding]
        for each in loaded:
            if name in (each.id, each.entry.key):
                return MiniTarget(each.entry, each.id if name == each.id else None)
        entry = self.library.find(name) if isinstance(name, str) else None
        if entry and entry.is_embedding == wants_embedding:
            return MiniTarget(entry, None)
        texts = [each for each in loaded if each.entry.type == "llm"]
        if len(texts) == 1:
            return MiniTarget(texts[0].entry, texts[0].id)
        if entry and wants_embedding:  # an LLM gets the same text here as no model at all
            raise error_bodies.plain(error_bodies.NO_MODELS_LOADED)
        kind = "embedding" if wants_embedding else "llm"
        keys = [known.key for known in self.library.entries() if known.type == kind]
        is_ambiguous = loaded and not wants_embedding
        refuse = error_bodies.ambiguous_model if is_ambiguous else error_bodies.unknown_model
        raise refuse(name if isinstance(name, str) else "", keys)

    def borrow(self, target: MiniTarget, ttl: Any) -> MiniLoadedModel:
        """Return a busy instance of the model, loaded first if necessary; the caller gives it back."""
        is_ttl = isinstance(ttl, (int, float)) and not isinstance(ttl, bool) and ttl > 0
        try:
            return self.loaded_models.borrow(
                target.entry, target.instance_id, float(ttl) if is_ttl else None, disconnect_check()
            )
        except ModelLoadError as exc:
            raise error_bodies.plain(error_bodies.load_failure_text(target.entry.key, exc.text)) from exc


def mini_services() -> MiniServices:
    """Return the services of the current application."""
    found: MiniServices = current_app.extensions["miniature"]
    return found


def disconnect_check() -> IsDisconnected:
    """Return a test for whether the client has disconnected; only waitress knows."""
    return request.environ.get("waitress.client_disconnected") or (lambda: False)
