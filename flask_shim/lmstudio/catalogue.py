"""Which models the backend has: asked for at most once per time-to-live, by one thread, whoever else is waiting."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from cachetools import TTLCache

from flask_shim.errors import BackendBroke, BackendRefused, NoSuchEndpoint, ShimError
from flask_shim.lmstudio.generations import Generation, is_list, read_list
from flask_shim.lmstudio.model import Model
from flask_shim.lmstudio.transport import Transport

CONTACT_SECONDS = 1.0
"""A list from the cache is not shown as the present state of a backend that has been silent for longer than this."""

PROBE_SECONDS = 300.0
"""How long a generation is believed: people update LM Studio while the shim runs."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The models at one moment. ``fetched_at`` is on the :func:`time.monotonic` clock."""

    generation: Generation
    models: tuple[Model, ...]
    fetched_at: float


class Catalogue:
    """The backend's model list, cached."""

    def __init__(self, transport: Transport, ttl: float) -> None:
        """Believe a list for ``ttl`` seconds; 0 asks every time."""
        self._transport = transport
        self._cache: TTLCache[str, Listing] = TTLCache(maxsize=1, ttl=ttl, timer=time.monotonic)
        self._missing: TTLCache[str, bool] = TTLCache(maxsize=16, ttl=PROBE_SECONDS, timer=time.monotonic)
        self._missing_lock = threading.Lock()
        self._turn = threading.Lock()
        self._generation: Generation | None = None
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
        with self._turn:
            if self._failure is not None and self._failed_at >= asked_at:
                raise self._failure
            try:
                return self._current(asked_at, max_age, must_answer)
            except ShimError as exc:
                self._failure, self._failed_at = exc, time.monotonic()
                self._forget()
                raise

    def lacks(self, path: str) -> bool:
        """Tell whether the backend lately said that it has no such route."""
        with self._missing_lock:
            return path in self._missing

    def note_missing(self, path: str) -> None:
        """Remember that the backend has no such route, for as long as its generation is believed."""
        with self._missing_lock:
            self._missing[path] = True

    def expire(self) -> None:
        """Ask again next time: something was loaded, unloaded or downloaded."""
        with self._turn:
            self._cache.clear()

    def lost(self) -> None:
        """Ask again next time, and which generation it is too: the backend was away and may have been updated."""
        with self._turn:
            self._forget()

    def _forget(self) -> None:
        self._cache.clear()
        self._generation = None
        with self._missing_lock:
            self._missing.clear()

    def _current(self, asked_at: float, max_age: float | None, must_answer: bool) -> Listing:
        cached = self._cache.get("listing")
        if cached is None or (max_age is not None and asked_at - cached.fetched_at > max_age):
            cached = self._fetch()
            self._cache["listing"] = cached
            self._contact_at = cached.fetched_at
        elif must_answer and asked_at - self._contact_at > CONTACT_SECONDS:
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
        for generation in Generation:
            value = self._ask(generation)
            if value is not None:
                self._generation, self._probed_at = generation, time.monotonic()
                return Listing(generation, read_list(generation, value), time.monotonic())
        raise BackendBroke(f"what answers at {self._transport.link.base_url} has no model list: it is not LM Studio")

    def _ask(self, generation: Generation) -> Any | None:
        """Return the list of that generation, None when the backend has none; lists may be asked for twice."""
        for is_last in (False, True):
            try:
                value = self._transport.exchange("GET", generation.value, timeout=self._transport.link.list_timeout)
            except (NoSuchEndpoint, BackendRefused):
                # Seen on /v1/models too, once in a while, though it exists.
                if generation is not Generation.OPENAI or is_last:
                    return None
            except BackendBroke:
                if is_last and generation is Generation.OPENAI:
                    raise
                if is_last:
                    return None
            else:
                return value if is_list(generation, value) else None
        return None
