"""The cached model list: one thread requests it when its time to live is over, the others wait for that answer."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any

from cachetools import TTLCache

from flask_shim.errors import ShimError
from flask_shim.lmstudio.api_versions import ApiVersion, is_list, read_list
from flask_shim.lmstudio.errors import (
    BackendProtocolError,
    BackendRequestError,
    BackendTimeout,
    NoSuchEndpoint,
    NotSupported,
)
from flask_shim.lmstudio.http.transport import Transport
from flask_shim.lmstudio.http.waiters import BoundedWaiters
from flask_shim.lmstudio.model import Model

log = logging.getLogger(__name__)

CONTACT_SECONDS = 1.0
"""A list from the cache is not shown as the present state of a backend that has been silent for longer than this."""

PATIENCE_SECONDS = 1.0
"""How long any number of requests waits for the same list; longer, only as many as the link allows."""

PROBE_SECONDS = 300.0
"""How long a generation is believed: people update LM Studio while the shim runs."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The models at one moment. ``fetched_at`` is on the :func:`time.monotonic` clock."""

    generation: ApiVersion
    models: tuple[Model, ...]
    fetched_at: float

    def loaded(self) -> list[Model]:
        """Return the models that are loaded; NotSupported where the backend does not tell."""
        if not self.generation.reports_state:
            raise NotSupported(
                "this backend does not tell which models are loaded: that needs LM Studio 0.3.6 or later"
            )
        return [model for model in self.models if model.is_loaded]


class ModelListCache:
    """The backend's model list, cached."""

    def __init__(self, transport: Transport, ttl: float) -> None:
        """Believe a list for ``ttl`` seconds; 0 asks every time."""
        self._transport = transport
        self._queue = BoundedWaiters(most_patient=transport.options.max_waiting, patience=PATIENCE_SECONDS)
        self._lock = threading.Lock()  # held for moments only, a turn for as long as the backend takes
        self._cache: TTLCache[str, Listing] = TTLCache(maxsize=1, ttl=ttl, timer=time.monotonic)
        self._last: Listing | None = None
        self._epoch = 0
        self._generation: ApiVersion | None = None
        self._probed_at = 0.0
        self._contact_at = 0.0
        self._failure: ShimError | None = None
        self._failed_at = 0.0

    def listing(self, *, max_age: float | None = None, must_answer: bool = False) -> Listing:
        """Return the models, no older than ``max_age`` seconds and the time-to-live.

        With ``must_answer`` a cached list is only good while the backend still accepts connections. Raises the
        backend's failure; threads that waited for the same failing attempt get that failure without another one.
        """
        asked_at = time.monotonic()
        if (cached := self._cached(asked_at, max_age)) is not None and not (must_answer and self._is_old(asked_at)):
            return cached
        with self._queue.take() as is_ours:
            if not is_ours:
                return self._meanwhile(is_old_good=max_age is None and not must_answer)
            if self._failure is not None and self._failed_at >= asked_at:
                raise self._failure
            try:
                return self._current(asked_at, max_age, must_answer)
            except ShimError as exc:
                self._failure, self._failed_at = exc, time.monotonic()
                self.lost()
                raise

    def expire(self) -> None:
        """Ask again next time: something was loaded, unloaded or downloaded."""
        with self._lock:
            self._epoch += 1
            self._cache.clear()

    def lost(self) -> None:
        """Ask again next time, and which generation it is too: the backend was away and may have been updated."""
        self.expire()
        with self._lock:
            self._last = self._generation = None

    def _cached(self, asked_at: float, max_age: float | None) -> Listing | None:
        with self._lock:
            cached = self._cache.get("listing")
        # "<": the clock of Windows stands still for 15.6 ms, and a list read before the question must not pass for new.
        return cached if cached and (max_age is None or asked_at - cached.fetched_at < max_age) else None

    def _is_old(self, asked_at: float) -> bool:
        return asked_at - self._contact_at > CONTACT_SECONDS

    def _meanwhile(self, *, is_old_good: bool) -> Listing:
        """Return the list of before, while a new one is waited for by others."""
        last = self._last
        if last is None or not is_old_good:
            raise BackendTimeout("LM Studio has not told its models yet, and enough requests wait for that")
        return last

    def _current(self, asked_at: float, max_age: float | None, must_answer: bool) -> Listing:
        cached = self._cached(asked_at, max_age)
        if cached is None:
            epoch = self._epoch
            cached = self._fetch()
            with self._lock:
                self._last = cached
                if epoch == self._epoch:  # else something was loaded meanwhile
                    self._cache["listing"] = cached
            self._contact_at = cached.fetched_at
        elif must_answer and self._is_old(asked_at):
            if not self._transport.is_reachable():
                raise self._transport.unavailable("connection refused")
            self._contact_at = time.monotonic()
        return cached

    def _fetch(self) -> Listing:
        known = self._generation
        if known is not None and time.monotonic() - self._probed_at < PROBE_SECONDS:
            value = self._ask(known)
            if value is not None:
                return Listing(known, read_list(known, value), time.monotonic())
        for generation in ApiVersion:
            value = self._ask(generation)
            if value is not None:
                self._generation, self._probed_at = generation, time.monotonic()
                return Listing(generation, read_list(generation, value), time.monotonic())
        raise BackendProtocolError(
            f"what answers at {self._transport.options.base_url} has no model list: it is not LM Studio"
        )

    def _ask(self, generation: ApiVersion) -> Any | None:
        """Return the list of that generation, None when the backend has none; lists may be asked for twice."""
        is_oldest = generation is ApiVersion.OPENAI
        try:
            return self._asked(generation)
        except (NoSuchEndpoint, BackendRequestError):
            if not is_oldest:  # seen on /v1/models, once in a while, though it exists
                return None
        except BackendProtocolError as exc:
            log.debug("asking for %s again: %s", generation.value, exc.text)
        try:
            return self._asked(generation)
        except (NoSuchEndpoint, BackendRequestError):
            return None
        except BackendProtocolError:
            if is_oldest:
                raise
            return None

    def _asked(self, generation: ApiVersion) -> Any | None:
        value = self._transport.exchange("GET", generation.value, timeout=self._transport.options.list_timeout)
        return value if is_list(generation, value) else None
