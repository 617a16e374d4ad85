"""One LM Studio of a shim, and the lists of several as one list."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Any

from flask_shim.errors import ShimError
from flask_shim.lmstudio import LMStudio, Model
from flask_shim.lmstudio.catalogue import Listing
from flask_shim.lmstudio.errors import ServerBusy
from flask_shim.lmstudio.model import Support
from flask_shim.lmstudio.wake import Waker
from flask_shim.models.loader import ModelLoader

NEWCOMER_SECONDS = 0.25
"""How long a list waits, after the first LM Studio has answered, for those that have not answered since the start."""

LIVING_SECONDS = 1.0
"""How long it waits for those that have; their last list is used then."""


@dataclass(slots=True, eq=False, kw_only=True)
class Backend:
    """One LM Studio, and what this process does there.

    ``name`` is empty if the settings name the only one. ``failure`` is why it gets no requests at the moment, None if
    it works. ``running`` counts its requests by model key; only :class:`flask_shim.models.routing.Router` changes it.
    """

    client: LMStudio
    loader: ModelLoader
    name: str = ""
    priority: int = 0
    max_streams: int | None = None
    is_draining: bool = False
    waker: Waker | None = None
    failure: ShimError | None = None
    is_suspect: bool = False
    """Whether a request there timed out, and its models are being requested to see whether it works."""
    running: Counter[str] = field(default_factory=Counter)
    last_listing: Listing | None = None
    """What it listed last. After it failed, none of these models is loaded."""
    refresh: Future[Listing] | None = None
    """The request for its list that runs in the background."""

    @property
    def is_preferred(self) -> bool:
        """Whether it gets requests that another one could answer, too."""
        return self.failure is None and not self.is_suspect and not self.is_draining

    @property
    def is_asleep(self) -> bool:
        """Whether it does not answer, but can be woken."""
        return self.waker is not None and (self.failure is not None or self.last_listing is None)

    @property
    def unusable(self) -> ShimError | None:
        """Why it gets no requests at the moment, None if it does."""
        if self.is_draining:
            return ServerBusy(f"{self.name} takes no new requests: drain is true for it", retry_after=30)
        return self.failure

    @property
    def state(self) -> str:
        """The state as operators see it: ``ready``, ``draining``, ``asleep`` or ``away``."""
        if self.is_draining:
            return "draining"
        if self.failure is None:
            return "ready"
        return "away" if self.waker is None else "asleep"

    def close(self) -> None:
        """End the keep-alives and close the connections."""
        self.loader.tracker.close()
        self.client.close()


BackendList = tuple[Backend, Listing]

_ABILITIES = ("architecture", "parameters", "max_context_length", "vision", "tools")
_UNREPORTED = (None, Support.UNKNOWN)


@dataclass(frozen=True, slots=True)
class MergedListing(Listing):
    """The models of several LM Studios, those of the highest priority first.

    Of a model on several, ``models`` has the one that is loaded, else the one of the highest priority. ``lists`` are
    those that were ``received``, with what only others report of their models.
    """

    lists: tuple[BackendList, ...] = ()
    received: tuple[BackendList, ...] = ()


def merge(received: tuple[BackendList, ...]) -> MergedListing:
    """Return the lists of several LM Studios, of which there is at least one, as one list."""
    lists = _complete(received)
    ordered = sorted(lists, key=lambda pair: -pair[0].priority)
    models: dict[str, Model] = {}
    for _, listing in ordered:
        for model in listing.models:
            known = models.get(model.key)
            if known is None or (model.is_loaded and not known.is_loaded):
                models[model.key] = model
    reporting = next((listing for _, listing in ordered if listing.reports_state), ordered[0][1])
    oldest = min(listing.requested_at for _, listing in ordered)
    return MergedListing(reporting.api_version, tuple(models.values()), oldest, lists, received)


def _complete(lists: tuple[BackendList, ...]) -> tuple[BackendList, ...]:
    """Return the lists with the abilities that a model has everywhere, also where only another list reports them.

    Without that, what ``/api/show`` says of a model would depend on the LM Studio that has it loaded.
    """
    reported: dict[tuple[str, str], Any] = {}
    for _, listing in lists:
        for model in listing.models:
            for name in _ABILITIES:
                if (value := getattr(model, name)) not in _UNREPORTED:
                    reported.setdefault((model.key, name), value)

    def complete(model: Model) -> Model:
        missing = [name for name in _ABILITIES if getattr(model, name) in _UNREPORTED and (model.key, name) in reported]
        return dataclasses.replace(model, **{name: reported[model.key, name] for name in missing}) if missing else model

    return tuple(
        (backend, dataclasses.replace(listing, models=tuple(map(complete, listing.models))))
        for backend, listing in lists
    )


def carry_over(present: Iterable[Backend], updated: Iterable[Backend]) -> list[Backend]:
    """Return what to use instead of ``updated``, which a file names now: those of ``present`` where nothing differs.

    One that stays has its requests, connections and loaded models. One with another name, token or time-out is
    replaced, but its models are kept alive as before.
    """
    left = {(backend.name, backend.client.options): backend for backend in present}
    used = []
    for backend in updated:
        known = left.get((backend.name, backend.client.options))
        if known is not None and known.loader.take_over(known.loader):  # also if an earlier reload has removed it
            known.priority, known.max_streams = backend.priority, backend.max_streams
            known.is_draining, known.waker = backend.is_draining, backend.waker
            backend.close()
            used.append(known)
            continue
        for old in left.values():
            if old.client.options.base_url == backend.client.options.base_url and backend.loader.take_over(old.loader):
                break
        used.append(backend)
    return used


def collect(requests: Mapping[Future[Listing], Backend], lists: dict[Backend, Listing]) -> None:
    """Put what arrives in time into ``lists``; of one that has answered before and is late, its last list."""
    first_at = time.monotonic() if lists else None
    pending = set(requests)
    while pending:
        seconds_left = None  # without limit, before the first one has answered
        if first_at is not None:
            has_living = any(requests[request].last_listing is not None for request in pending)
            seconds = LIVING_SECONDS if has_living else NEWCOMER_SECONDS
            seconds_left = max(0.0, first_at + seconds - time.monotonic())
        done, pending = wait(pending, seconds_left, FIRST_COMPLETED)
        if not done:
            break
        for request in done:
            if request.exception() is None:
                lists[requests[request]] = request.result()
                first_at = first_at or time.monotonic()
    for request in pending:
        backend = requests[request]
        if backend.failure is None and backend.last_listing is not None:
            lists[backend] = backend.last_listing


def find_reachable(backends: Iterable[Backend]) -> dict[Backend, bool]:
    """Return which accept connections, without those that take long.

    Looking up a name has no time-out: with a resolver that does not answer, it takes ten seconds on Linux.
    """
    checks: dict[Backend, Future[bool]] = {backend: Future() for backend in backends}

    def check(backend: Backend) -> None:
        checks[backend].set_result(backend.client.is_reachable())

    for backend in checks:
        threading.Thread(target=check, args=(backend,), name="shim-reachable", daemon=True).start()
    wait(checks.values(), LIVING_SECONDS)
    return {backend: known.result() for backend, known in checks.items() if known.done()}


def unloaded(listing: Listing) -> Listing:
    """Return a list in which no model is loaded."""
    models = tuple(dataclasses.replace(model, instances=()) for model in listing.models)
    return dataclasses.replace(listing, models=models)


def last_lists(backends: Iterable[Backend]) -> dict[Backend, Listing]:
    """Return what those listed last that work or can be woken. Nothing is loaded on one that sleeps."""
    return {
        each: each.last_listing
        for each in backends
        if each.last_listing is not None and (each.failure is None or each.waker is not None)
    }
