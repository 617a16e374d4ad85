"""Resolve model names against the backend's list and the aliases; results are cached until one of them changes."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cachetools import LRUCache

from flask_shim.lmstudio import BackendCall, Model
from flask_shim.lmstudio.catalogue import NEWS_SECONDS, Listing
from flask_shim.lmstudio.errors import BackendError, ModelNotFound, ServerBusy
from flask_shim.models.backends import Backend, BackendList
from flask_shim.models.pool import Backends
from flask_shim.models.profiles import ModelProfiles
from flask_shim.models.waking import never_seen, wake
from flask_shim.translate.ollama.alias import Alias, alias_key, base_of, to_entry
from flask_shim.translate.ollama.listing import Entry
from flask_shim.translate.ollama.names import display, find_model

Aliases = Mapping[str, Alias]
"""A snapshot of the aliases, by :func:`alias_key`."""

Lists = Sequence[BackendList]

_NONE: Aliases = {}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ResolvedModel:
    """The model that a client's name stands for, at one backend. Compared by identity, so that it can be a cache key.

    ``identifier`` is the name to send to the backend: the model's key, or one of its variants or loaded instances.
    ``listing`` is the backend's. ``alias`` is set if the name is an alias; ``entry`` includes its settings. ``machine``
    is the backend's name if the client's name has it; ``others`` are the same model at the other backends that have it.
    """

    name: str
    entry: Entry
    identifier: str
    backend: Backend = field(repr=False)
    listing: Listing = field(repr=False)
    alias: Alias | None = None
    machine: str = ""
    others: tuple[ResolvedModel, ...] = field(default=(), repr=False)

    @property
    def model(self) -> Model:
        """The backend's model."""
        return self.entry.model

    @property
    def places(self) -> tuple[ResolvedModel, ...]:
        """The model at all backends that have it."""
        return (self, *self.others)

    def at(self, backend: Backend) -> ResolvedModel:
        """Return the model at one of the backends only; raise ModelNotFound if that one lacks it."""
        for place in self.places:
            if place.backend is backend:
                return dataclasses.replace(place, others=())
        raise ModelNotFound(f"model '{self.name}' not found on {backend.name}")


@dataclass(frozen=True, slots=True, eq=False)
class ModelNames:
    """A snapshot of all names. Compared by identity, so that it can be a cache key."""

    listing: Listing = field(repr=False)
    aliases: Aliases = field(repr=False)
    profiles: ModelProfiles = field(repr=False)
    entries: list[Entry]


class ModelRegistry:
    """All names that clients can use: the aliases, which take precedence, and the models' own names."""

    def __init__(
        self,
        backends: Backends,
        cache_size: int,
        aliases: Callable[..., Aliases] = lambda **_: _NONE,
        profiles: ModelProfiles | None = None,
    ) -> None:
        """Cache up to ``cache_size`` results; ``aliases`` is what :class:`AliasStore` has under that name."""
        self.profiles = profiles or ModelProfiles()
        """Replaced as a whole when the file of profiles is read again."""
        self._backends = backends
        self._aliases = aliases
        self._lock = threading.Lock()
        self._cache: LRUCache[str, tuple[Aliases, ModelProfiles, Listing, ResolvedModel]] = LRUCache(maxsize=cache_size)
        self._seen_ns: dict[str, int] = {}
        self._names: ModelNames | None = None

    def find(self, name: str) -> ResolvedModel | None:
        """Return the model of that name, or None; raise if the backend does not list its models.

        An alias whose model was deleted raises ModelNotFound, even if another model has that name.
        """
        aliases, listing = self._aliases(recent=True), self._backends.listing()
        target = self._resolve(name, listing, aliases)
        if target is None:
            aliases = self._aliases()  # another process may have made it just now
            target = self._resolve(name, self._backends.listing(max_age=NEWS_SECONDS), aliases)
        if target is None and self._backends.wait_for_newcomers():
            target = self._resolve(name, self._backends.listing(), aliases)
        if target is None:
            self._raise_if_unusable(name, aliases)
        if target is None and (alias := aliases.get(alias_key(name))) is not None:
            raise ModelNotFound(f"model '{name}' not found: it was made from '{alias.base}', which LM Studio lacks now")
        return target

    def find_or_wake(self, name: str, call: BackendCall) -> ResolvedModel | None:
        """Return the model of that name; wake LM Studios that may have it, unless their models are known."""
        while True:
            target: ResolvedModel | None = None
            failure: BackendError | ServerBusy | None = None
            try:
                target = self.find(name)
            except (BackendError, ServerBusy) as exc:
                failure = exc
            asleep = [] if target else never_seen(self._backends, name)
            if asleep:
                wake(self._backends, asleep, call)
            elif failure is not None:
                raise failure
            else:
                return target

    def of(self, model: Model, listing: Listing) -> ResolvedModel:
        """Return a model of a list under its own name, even if an alias hides that."""
        target = self._find_at(model.key, (model,), self._backends.lists_of(listing))
        if target is None:
            raise ModelNotFound(f"model '{model.key}' not found")
        return target

    def entries(self, listing: Listing) -> list[Entry]:
        """Return all names of the list: the aliases, and the models that no alias hides."""
        aliases = self._aliases()
        own = [entry for entry in self.models(listing) if alias_key(entry.name) not in aliases]
        return own + self.aliases(listing)

    def names(self, listing: Listing) -> ModelNames:
        """Return all names of the list: the same object until the list or the aliases change."""
        aliases, profiles, names = self._aliases(), self.profiles, self._names
        if (
            names is None
            or names.listing is not listing
            or names.aliases is not aliases
            or names.profiles is not profiles
        ):
            names = self._names = ModelNames(listing, aliases, profiles, self.entries(listing))
        return names

    def models(self, listing: Listing) -> list[Entry]:
        """Return the backend's models by their own names."""
        return [self._entry(model, listing) for model in listing.models]

    def aliases(self, listing: Listing) -> list[Entry]:
        """Return the aliases whose models are in the list."""
        aliases, lists = self._aliases(), self._backends.lists_of(listing)
        found = (self._find(alias.name, listing.models, lists, aliases) for alias in aliases.values())
        return [target.entry for target in found if target is not None]

    def _raise_if_unusable(self, name: str, aliases: Aliases) -> None:
        """Raise why a backend is not used that had this model, or is named although its models are unknown."""
        named, _ = self._backends.split_name(name)
        for backend in self._backends:
            reason, listing = backend.unusable, backend.last_listing
            if reason is None:
                continue
            if listing is None:
                may_have_it = backend is named
            else:
                may_have_it = self._find(name, listing.models, ((backend, listing),), aliases) is not None
            if may_have_it:
                raise reason

    def _resolve(self, name: str, listing: Listing, aliases: Aliases) -> ResolvedModel | None:
        profiles = self.profiles
        with self._lock:
            known = self._cache.get(name)
        if known is not None and known[0] is aliases and known[1] is profiles and known[2] is listing:
            return known[3]
        target = self._find(name, listing.models, self._backends.lists_of(listing), aliases)
        if target is not None and self._cache.maxsize:
            with self._lock:
                self._cache[name] = aliases, profiles, listing, target
        return target

    def _find(self, name: str, models: Sequence[Model], lists: Lists, aliases: Aliases) -> ResolvedModel | None:
        """Return what a name means in these lists, of which ``models`` has the models.

        ``NAME/`` names one backend, in a client's name and in the base of an alias.
        """
        alias = aliases.get(alias_key(name))
        base = alias.base if alias else ""
        target = self._find_at(name, models, lists, alias, base)
        backend, rest = self._backends.split_name(base or name)
        if target is not None or backend is None:
            return target
        own = next((pair for pair in lists if pair[0] is backend), None)
        if own is not None and alias is not None:
            return self._find_at(name, own[1].models, (own,), alias, rest)
        target = self._find(rest, own[1].models, (own,), aliases) if own is not None else None
        return dataclasses.replace(target, name=name, machine=backend.name) if target else None

    def _find_at(
        self, name: str, models: Sequence[Model], lists: Lists, alias: Alias | None = None, base: str = ""
    ) -> ResolvedModel | None:
        """Return what a name, or the alias with that base, means among ``models``, at the backend that would answer."""
        if alias is None:
            found = find_model(name, models)
            key, identifier = (found.model.key, found.identifier) if found else ("", "")
        else:
            based = base_of(base, models)
            key, identifier = (based.key, base) if based else ("", "")
        places = [
            ResolvedModel(
                name=name,
                entry=self.profiles.apply(to_entry(alias, model)) if alias else self._entry(model, own),
                identifier=identifier,
                backend=backend,
                listing=own,
                alias=alias,
            )
            for backend, own in lists
            for model in own.models
            if model.key == key and identifier in (*model.identifiers, key)
        ]
        # The one that would answer if none were busy; which one does is decided when the request is admitted.
        first = min(
            places,
            key=lambda place: (place.backend.is_asleep, not place.model.is_loaded, -place.backend.priority),
            default=None,
        )
        if first is None or len(places) == 1:
            return first
        return dataclasses.replace(first, others=tuple(place for place in places if place is not first))

    def _entry(self, model: Model, listing: Listing) -> Entry:
        with self._lock:
            if model.key not in self._seen_ns:  # the whole list was seen at the same moment
                self._seen_ns = dict.fromkeys((each.key for each in listing.models), time.time_ns()) | self._seen_ns
        return self.profiles.apply(Entry(name=display(model.key), model=model, modified_ns=self._seen_ns[model.key]))
