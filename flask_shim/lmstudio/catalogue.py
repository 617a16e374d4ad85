"""The cached model list: one thread requests it when its time to live is over, the others wait for that answer."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any

from flask_shim.errors import ShimError
from flask_shim.lmstudio.api_versions import ApiVersion, is_list, read_list
from flask_shim.lmstudio.errors import (
    BackendProtocolError,
    BackendRequestError,
    BackendTimeout,
    ModelNotFound,
    NoSuchEndpoint,
    NotSupported,
)
from flask_shim.lmstudio.http.cancellation import BackendCall
from flask_shim.lmstudio.http.transport import Transport
from flask_shim.lmstudio.http.waiters import BoundedWaiters
from flask_shim.lmstudio.model import Model

log = logging.getLogger(__name__)

CONTACT_SECONDS = 1.0
"""Whether the backend still accepts connections is checked again after this time."""

NEWS_SECONDS = 5.0
"""A name that is not in the list is looked up in a list no older than this: it may just have been downloaded."""

PATIENCE_SECONDS = 1.0
"""How long any number of threads waits for a list; only ``ClientOptions.max_waiting`` of them wait longer."""

PROBE_SECONDS = 300.0
"""How long a detected API version is used without detecting it again: LM Studio may be updated meanwhile."""

_MAX_NAMES = 20


@dataclass(frozen=True, slots=True)
class Listing:
    """The models at one moment. ``requested_at`` is on the :func:`time.monotonic` clock."""

    api_version: ApiVersion
    models: tuple[Model, ...]
    requested_at: float

    @property
    def reports_state(self) -> bool:
        """Whether the list says which models are loaded."""
        return self.api_version is not ApiVersion.OPENAI

    def loaded(self) -> list[Model]:
        """Return the models that are loaded; raise NotSupported if the backend does not report that."""
        if not self.reports_state:
            raise NotSupported(
                "this backend does not tell which models are loaded: that needs LM Studio 0.3.6 or later"
            )
        return [model for model in self.models if model.is_loaded]

    def has_instance(self, name: str) -> bool:
        """Return whether a loaded copy of a model has that name."""
        return any(copy.id == name for model in self.models for copy in model.instances)


class ModelListCache:
    """The backend's model list, cached."""

    def __init__(self, transport: Transport, ttl: float) -> None:
        """Keep a list for ``ttl`` seconds; with 0, request it every time."""
        self._transport = transport
        self._queue = BoundedWaiters(most_patient=transport.options.max_waiting, patience=PATIENCE_SECONDS)
        self._lock = threading.Lock()  # held for moments only, a turn for as long as the backend takes
        self._ttl = ttl
        self._cached_until: tuple[Listing, float] | None = None
        self._last: Listing | None = None
        self._epoch = 0
        self._api_version: ApiVersion | None = None
        self._detected_at = 0.0
        self._contact_at = 0.0
        self._failure: ShimError | None = None
        self._failures = 0

    def listing(self, *, max_age: float | None = None, must_answer: bool = False) -> Listing:
        """Return the models, no older than ``max_age`` seconds and the time to live.

        With ``must_answer``, a cached list is used only while the backend accepts connections. Raises the backend's
        failure; threads that waited for the same failing request raise its failure without a request of their own.
        """
        failures = self._failures
        if (cached := self.peek(max_age, must_answer=must_answer)) is not None:
            return cached
        asked_at = time.monotonic()
        with self._queue.take() as is_ours:
            if not is_ours:
                if self._last is None or max_age is not None or must_answer:
                    raise BackendTimeout("LM Studio has not listed its models yet, and enough requests wait for it")
                return self._last
            if self._failure is not None and self._failures != failures:
                raise self._failure
            try:
                return self._current(asked_at, max_age, must_answer)
            except ShimError as exc:
                self._failure, self._failures = exc, self._failures + 1
                self.forget()
                raise

    def peek(self, max_age: float | None = None, *, must_answer: bool = False) -> Listing | None:
        """Return what :meth:`listing` would return without asking the backend; None if it would ask."""
        asked_at = time.monotonic()
        return None if must_answer and self._is_old(asked_at) else self._cached(asked_at, max_age)

    def find(self, name: str, max_age: float | None = None) -> Model:
        """Return the model of which ``name`` is an identifier; a name that is not in the list is looked up afresh."""
        models: tuple[Model, ...] = ()
        for age in dict.fromkeys((max_age, NEWS_SECONDS if max_age is None else 0)):
            models = self.listing(max_age=age).models
            for model in models:
                if name in model.identifiers:
                    return model
        base_url, known = self._transport.options.base_url, ", ".join(model.key for model in models[:_MAX_NAMES])
        raise ModelNotFound(
            f"LM Studio at {base_url} has no model {name!r}; among those it has: {known or 'none at all'}"
        )

    def expire(self) -> None:
        """Request the list again next time: a model was loaded, unloaded or downloaded."""
        with self._lock:
            self._epoch += 1
            self._cached_until = None

    def forget(self) -> None:
        """Detect the API version again, too: the backend was away and may have been updated."""
        self.expire()
        with self._lock:
            self._last = self._api_version = None

    def _cached(self, asked_at: float, max_age: float | None) -> Listing | None:
        cached, until = self._cached_until or (None, 0.0)
        if cached is None or time.monotonic() >= until:
            return None
        # "<", since the clock of Windows advances in steps of 15.6 ms: a list requested before ``asked_at`` may have
        # the same time.
        return cached if max_age is None or asked_at - cached.requested_at < max_age else None

    def _is_old(self, asked_at: float) -> bool:
        return asked_at - self._contact_at > CONTACT_SECONDS

    def _current(self, asked_at: float, max_age: float | None, must_answer: bool) -> Listing:
        cached = self._cached(asked_at, max_age)
        if cached is None:
            epoch = self._epoch
            cached = self._fetch()
            with self._lock:
                self._last = cached
                if epoch == self._epoch:  # otherwise something was loaded meanwhile
                    self._cached_until = cached, time.monotonic() + self._ttl
            self._contact_at = time.monotonic()
        elif must_answer and self._is_old(asked_at):
            if not self._transport.is_reachable():
                raise self._transport.unavailable("connection refused")
            self._contact_at = time.monotonic()
        return cached

    def _fetch(self) -> Listing:
        """Request the list of the API version that is known, otherwise the first list that the backend has."""
        requested_at = time.monotonic()
        known = self._api_version if requested_at - self._detected_at < PROBE_SECONDS else None
        for api_version in (known, *ApiVersion) if known else ApiVersion:
            if (value := self._request(api_version)) is not None:
                if api_version is not known:
                    self._api_version, self._detected_at = api_version, requested_at
                return Listing(api_version, read_list(api_version, value), requested_at)
        raise BackendProtocolError(
            f"what answers at {self._transport.options.base_url} has no model list: it is not LM Studio"
        )

    def _request(self, api_version: ApiVersion) -> Any | None:
        """Return the list of that version, None if the backend has none.

        ``/v1/models`` is requested twice, since LM Studio 0.4 sometimes answers "Unexpected endpoint" to it;
        any list is if the first answer was cut.
        """
        is_last = api_version is ApiVersion.OPENAI
        for is_repeated in (False, True):
            try:
                call, timeout = BackendCall(is_awaited=False), self._transport.options.list_timeout
                value = self._transport.exchange("GET", api_version.value, timeout=timeout, call=call)
                return value if is_list(api_version, value) else None
            except (NoSuchEndpoint, BackendRequestError):
                if not is_last:
                    return None
            except BackendProtocolError as exc:
                if is_last and is_repeated:
                    raise
                log.debug("%s failed: %s", api_version.value, exc.text)
        return None
