"""The LM Studios that one shim uses: which of them work, and all their models as one list."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from functools import partial

from flask_shim.errors import BadRequest, ShimError
from flask_shim.lmstudio import Model
from flask_shim.lmstudio.catalogue import Listing
from flask_shim.lmstudio.errors import BackendUnavailable, ServerBusy
from flask_shim.lmstudio.http.cancellation import Watchdog
from flask_shim.models.backends import (
    Backend,
    BackendList,
    MergedListing,
    carry_over,
    collect,
    find_reachable,
    last_lists,
    merge,
    unloaded,
)

log = logging.getLogger(__name__)

PROBE_SECONDS = 5.0
"""How often an LM Studio that failed is asked for its models again."""

CLOSE_SECONDS = 2.0


class Backends:
    """All LM Studios of one shim. With one of them, nothing is added to what its client does."""

    def __init__(
        self, backends: Sequence[Backend], watchdog: Watchdog, on_room: Callable[[], None] = lambda: None
    ) -> None:
        """``watchdog`` is that of all their clients; ``on_room`` is called when one may take more requests."""
        self._all = _by_priority(backends)
        self.watchdog = watchdog
        self._lock = threading.Lock()
        self._on_room = on_room
        self._removed: set[Backend] = set()
        """Those that a reload has removed, while models that were loaded there have not expired."""
        self._merged: MergedListing | None = None
        self._prober: threading.Thread | None = None
        self._closing = threading.Event()
        self._requests: set[Future[Listing]] = set()

    @property
    def first(self) -> Backend:
        """The one of the highest priority, which answers what is for no model and for no named LM Studio."""
        return self._all[0]

    def __iter__(self) -> Iterator[Backend]:
        """Return all of them by priority."""
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def by_name(self, name: str) -> Backend:
        """Return the one of that name; raise BadRequest with the names that there are."""
        for backend in self._all:
            if backend.name == name:
                return backend
        raise BadRequest(f"no LM Studio is named '{name}': {', '.join(backend.name for backend in self._all)}")

    def split_name(self, name: str) -> tuple[Backend | None, str]:
        """Split ``NAME/model`` into the LM Studio of that name and the rest; without one, return None and ``name``."""
        machine, _, rest = name.partition("/")
        for backend in self._all:
            if rest and backend.name and backend.name == machine.lower():
                return backend, rest
        return None, name

    @property
    def _is_simple(self) -> bool:
        """Whether there is only one, which the shim cannot wake."""
        return len(self._all) == 1 and self.first.waker is None

    def listing(self, *, max_age: float | None = None, must_answer: bool = False) -> Listing:
        """Return the models of all that work; see :meth:`flask_shim.lmstudio.catalogue.ModelListCache.listing`.

        The lists are requested side by side. One that does not answer delays the others by a moment only: its last
        list is used, or none. Raises a failure if none answers.
        """
        if self._is_simple:
            return self.first.client.listing(max_age=max_age, must_answer=must_answer)
        backends = [backend for backend in self._all if not backend.is_draining]
        working = [backend for backend in backends if backend.failure is None]
        lists = {
            backend: found
            for backend in working
            if (found := backend.client.catalogue.peek(max_age, must_answer=must_answer)) is not None
        }
        if len(lists) < len(working) or not (working or last_lists(backends)):
            asked = [backend for backend in working or backends if backend not in lists]
            collect({self.request_list(each, max_age, must_answer=must_answer): each for each in asked}, lists)
        lists = last_lists(backends) | lists
        if not lists:
            failure = next((backend.failure for backend in backends if backend.failure is not None), None)
            raise failure or ServerBusy("no LM Studio takes requests now: all are drained", retry_after=30)
        used = tuple((backend, lists[backend]) for backend in backends if backend in lists)
        merged = self._merged
        if merged is None or merged.received != used:  # the same object as long as the lists are the same
            merged = self._merged = merge(used)
        return merged

    def lists_of(self, listing: Listing) -> tuple[BackendList, ...]:
        """Return the list of each LM Studio in a list of :meth:`listing`."""
        return listing.lists if isinstance(listing, MergedListing) else ((self.first, listing),)

    def places_by_model(self, listing: Listing) -> dict[str, list[tuple[Backend, Model]]]:
        """Return each model of a list, by its key, at every LM Studio that has it; empty if the shim uses only one."""
        found: dict[str, list[tuple[Backend, Model]]] = {}
        if len(self._all) > 1:
            for backend, own in self.lists_of(listing):
                for model in own.models:
                    found.setdefault(model.key, []).append((backend, model))
        return found

    def measure(self) -> Iterator[tuple[str, bool, int, int]]:
        """Yield, for each: its name, whether it accepts connections, its connections, its generations."""
        reachable = find_reachable(backend for backend in self._all if backend.failure is None)
        for backend in self._all:
            if reachable.get(backend) is False:  # so that the next scrape does not wait for it
                self.leave_out(backend, BackendUnavailable("it accepts no connections"))
            yield backend.name, reachable.get(backend, False), backend.client.open_connections, backend.running.total()

    def leave_out(self, backend: Backend, failure: ShimError) -> None:
        """Send no requests to an LM Studio until it lists its models again."""
        if self._is_simple:
            return
        backend.client.catalogue.forget()
        if backend.failure is None:
            log.warning("backend=%s is left out: %s", backend.name, failure.text)
        with self._lock:
            if backend.failure is None and backend.last_listing is not None:
                backend.last_listing = unloaded(backend.last_listing)
            backend.failure, backend.is_suspect = failure, False
            if self._prober is None and not self._closing.is_set():
                prober = threading.Thread(target=self._probe, name="shim-backends", daemon=True)
                prober.start()
                self._prober = prober

    def suspect(self, backend: Backend) -> None:
        """Prefer others to an LM Studio at which a request timed out, until it has listed its models or failed."""
        if len(self._all) > 1:
            backend.is_suspect = True
            self.request_list(backend, 0)

    def wait_for_newcomers(self) -> bool:
        """Wait for those that have not answered since the start; return whether there were any."""
        requests = [
            backend.refresh
            for backend in self._all
            if backend.refresh is not None and backend.last_listing is None and backend.failure is None
        ]
        wait(requests)
        return bool(requests)

    def update(self, backends: Sequence[Backend]) -> None:
        """Use these from now on; one that stays keeps its requests, connections and loaded models."""
        present = {*self._all, *self._removed}
        self._all = _by_priority(carry_over(present, backends))
        trackers = [backend.loader.tracker for backend in self._all]
        self._removed = present.difference(self._all)
        for backend in tuple(self._removed):  # its requests in flight end as they began
            backend.is_draining = True
            if backend.loader.tracker in trackers:
                self._close_removed(backend)
            else:
                backend.loader.tracker.close_when_unloaded(partial(self._close_removed, backend))
        self._on_room()

    def close(self) -> None:
        """End all threads and close all connections."""
        self._closing.set()
        with self._lock:  # under which it is started
            prober = self._prober
        if prober is not None:
            prober.join(CLOSE_SECONDS)
        wait(tuple(self._requests), CLOSE_SECONDS)  # a list that arrives later would leave its connection open
        for backend in (*self._all, *self._removed):
            backend.close()
        self.watchdog.close()

    def _close_removed(self, backend: Backend) -> None:
        self._removed.discard(backend)
        backend.client.close()

    def request_list(
        self, backend: Backend, max_age: float | None = None, *, must_answer: bool = False
    ) -> Future[Listing]:
        """Request a list on a thread, or share the request that runs; an LM Studio that answers gets requests again."""
        with self._lock:
            running = backend.refresh
            if running is not None and not running.done() and max_age is None:
                return running
            request = backend.refresh = Future()
            self._requests.add(request)
            request.add_done_callback(self._requests.discard)
        read = partial(backend.client.listing, max_age=max_age, must_answer=must_answer)
        args = (backend, request, read)
        threading.Thread(target=self._receive_list, args=args, name="shim-backend-list", daemon=True).start()
        return request

    def _receive_list(self, backend: Backend, request: Future[Listing], read: Callable[[], Listing]) -> None:
        try:
            try:
                backend.last_listing = read()
            finally:
                if backend not in self._all and backend not in self._removed:
                    backend.client.close()  # it was closed, perhaps before this opened a connection
        except ServerBusy as exc:  # enough threads wait for this list
            request.set_exception(exc)
        except ShimError as exc:
            self.leave_out(backend, exc)
            request.set_exception(exc)
        else:
            if backend.failure is not None:
                log.info("backend=%s is back", backend.name)
            is_back = not backend.is_preferred
            backend.failure, backend.is_suspect = None, False
            if is_back:
                self._on_room()
            request.set_result(backend.last_listing)

    def _probe(self) -> None:
        """Ask those that failed for their lists until all work; one that was only slow is back at once."""
        while not self._closing.is_set():
            with self._lock:
                failed = [backend for backend in self._all if backend.failure is not None]
                if not failed:
                    self._prober = None
                    return
            for backend in failed:
                self.request_list(backend)
            self._closing.wait(PROBE_SECONDS)


def _by_priority(backends: Sequence[Backend]) -> tuple[Backend, ...]:
    return tuple(sorted(backends, key=lambda backend: -backend.priority))
