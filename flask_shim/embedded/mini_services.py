"""The parts of one miniature LM Studio, and what every route needs of them."""

from __future__ import annotations

import tempfile
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from flask import current_app, request

from flask_shim.embedded import error_bodies
from flask_shim.embedded.download_jobs import Downloads
from flask_shim.embedded.engine import IsDisconnected, require_engine
from flask_shim.embedded.library import Library
from flask_shim.embedded.loaded_models import MiniLoadedModel, MiniLoadedModels
from flask_shim.embedded.mini_settings import MiniSettings
from flask_shim.embedded.name_resolution import MiniTarget, resolve
from flask_shim.lmstudio.errors import ModelLoadError


class JournalEntry(NamedTuple):
    """One request in the journal; ``body`` is the parsed JSON, None when there was none."""

    method: str
    path: str
    body: Any


class MiniServices:
    """The library, the loaded models, the downloads and the journal of one miniature; its owner closes them."""

    def __init__(self, settings: MiniSettings) -> None:
        """Load no model yet; raise NotSupported if the engine is not installed."""
        require_engine()
        self.settings = settings
        self.library = Library(settings.models, has_decisions=settings.generation == "v1")
        self.loaded_models = MiniLoadedModels(settings)
        self.journal: deque[JournalEntry] = deque(maxlen=settings.journal_length)
        self._owned = ExitStack()
        self.downloads = self._open_downloads()

    def resolve(self, name: Any, *, wants_embedding: bool = False) -> MiniTarget:
        """Return the model that answers to ``name``, or raise LM Studio's error."""
        return resolve(name, self.library, self.loaded_models, wants_embedding=wants_embedding, jit=self.settings.jit)

    def borrow(self, target: MiniTarget, ttl: Any, is_disconnected: IsDisconnected) -> MiniLoadedModel:
        """Return a busy instance of the model, loaded first if necessary; the caller gives it back."""
        is_ttl = isinstance(ttl, (int, float)) and not isinstance(ttl, bool) and ttl > 0
        try:
            return self.loaded_models.borrow(
                target.entry, target.instance_id, float(ttl) if is_ttl else None, is_disconnected
            )
        except ModelLoadError as exc:
            raise error_bodies.plain(error_bodies.load_failed(target.entry.key, exc.text)) from exc

    def close(self) -> None:
        """End all engines and downloads, and remove what they left."""
        self.loaded_models.close()
        self._owned.close()

    def _open_downloads(self) -> Downloads | None:
        if self.settings.downloads is None:
            return None
        target = self.settings.models
        if target is None:
            target = Path(self._owned.enter_context(tempfile.TemporaryDirectory(prefix="flask-shim-")))
            self.library.add_folder(target)
        downloads = Downloads(self.settings.downloads, target, self.settings.download_rate)
        self._owned.callback(downloads.close)
        return downloads


def mini_services() -> MiniServices:
    """Return the services of the current application."""
    found: MiniServices = current_app.extensions["miniature"]
    return found


def client_gone() -> IsDisconnected:
    """Return a test for whether the client has disconnected; only waitress knows."""
    return request.environ.get("waitress.client_disconnected") or (lambda: False)
