"""Names to models: resolved against the backend's list before anything is sent, and remembered while it stands."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from cachetools import LRUCache

from flask_shim.lmstudio import LMStudio, Model
from flask_shim.lmstudio.catalogue import Listing
from flask_shim.translate.finding import locate
from flask_shim.translate.listing import Entry
from flask_shim.translate.names import display

NEWS_SECONDS = 5.0
"""A name that is not in the list is looked up in a list no older than this: it may just have been downloaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a client's model name stands for.

    ``identifier`` is what the backend calls exactly that: the model's key, one of its variants or loaded copies.
    """

    name: str
    entry: Entry
    identifier: str
    listing: Listing = field(repr=False)

    @property
    def model(self) -> Model:
        """The backend's model."""
        return self.entry.model


class Directory:
    """All names that clients may use."""

    def __init__(self, backend: LMStudio, cache_size: int) -> None:
        """Remember ``cache_size`` resolutions; 0 remembers none."""
        self._backend = backend
        self._lock = threading.Lock()
        self._cache: LRUCache[str, Target] = LRUCache(maxsize=cache_size)
        self._seen_ns: dict[str, int] = {}

    def find(self, name: str) -> Target | None:
        """Return what ``name`` stands for, None when nothing answers to it; raise if the backend cannot be asked."""
        listing = self._backend.listing()
        target = self._resolve(name, listing)
        if target is None and time.monotonic() - listing.fetched_at > NEWS_SECONDS:
            target = self._resolve(name, self._backend.listing(max_age=NEWS_SECONDS))
        return target

    def entries(self, listing: Listing) -> list[Entry]:
        """Return every name of the list."""
        return [self._entry(model) for model in listing.models]

    def _resolve(self, name: str, listing: Listing) -> Target | None:
        with self._lock:
            known = self._cache.get(name)
        if known is not None and known.listing is listing:
            return known
        found = locate(name, listing.models)
        if found is None:
            return None
        target = Target(name=name, entry=self._entry(found.model), identifier=found.identifier, listing=listing)
        if self._cache.maxsize:
            with self._lock:
                self._cache[name] = target
        return target

    def _entry(self, model: Model) -> Entry:
        with self._lock:
            seen_ns = self._seen_ns.setdefault(model.key, time.time_ns())
        return Entry(name=display(model.key), model=model, modified_ns=seen_ns)
