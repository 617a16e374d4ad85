"""Loading and unloading, one at a time per model, and how long a loaded model may stay.

LM Studio loads a model when it is asked for (just in time, with a ``ttl`` that only counts for that load) or when it
is told to (without one). Simultaneous first requests would load copies, and a second explicit load makes a second
instance; so every request passes through its model's turn, and whoever has to load keeps the turn meanwhile.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from flask_shim.lmstudio.http.cancellation import BackendCall

_WAIT_SECONDS = 0.1

CLOSE_SECONDS = 2.0
"""How long to wait for the thread: it ends with the process if a list keeps it."""

Unload = Callable[[str, Callable[[], bool]], None]
"""Gets the key of a model whose time is up, and what tells, from any thread, whether to give it up."""


@dataclass(slots=True, eq=False)
class LoadedModel:
    """What the shim knows of one model's stay. Times are on the :func:`time.monotonic` clock, lengths seconds."""

    key: str
    changed: threading.Condition = field(default_factory=threading.Condition, repr=False)
    is_busy: bool = False
    users: int = 0
    last_used_at: float | None = None
    keep_alive: float | None = None
    """What the last client that cared has asked for."""
    ttl: float | None = None
    """After how long the backend unloads it by itself, where a request of ours made it load the model."""
    is_ours: bool = False
    """It was loaded through us; what others loaded is only unloaded when a client says so outright."""

    @property
    def expires_at(self) -> float | None:
        """When the model goes; None when that was agreed with somebody else, infinity while it is used."""
        lengths = [length for length in (self.keep_alive, self.ttl) if length is not None]
        if self.last_used_at is None or not lengths or not (self.is_ours or self.keep_alive == 0):
            return None
        return math.inf if self.users else self.last_used_at + min(lengths)

    def loaded(self, ttl: float | None) -> None:
        """Note that a request of ours loaded the model, to stay for ``ttl`` seconds (None: until it is told to go)."""
        self.is_ours, self.ttl = True, ttl


class KeepAliveTracker:
    """All models that were asked for through this process."""

    def __init__(self, unload: Unload) -> None:
        """``unload`` is called on a thread of ours."""
        self._unload = unload
        self._by_key: dict[str, LoadedModel] = {}
        self._lock = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def of(self, key: str) -> LoadedModel:
        """Return the resident of that key, made on first use."""
        with self._lock:
            return self._by_key.setdefault(key, LoadedModel(key))

    def enter(self, resident: LoadedModel, keep_alive: float | None) -> None:
        """Count a user of the model; ``keep_alive`` replaces the agreed one unless None."""
        with resident.changed:
            resident.users += 1
            if keep_alive is not None:
                resident.keep_alive = keep_alive

    def leave(self, resident: LoadedModel) -> None:
        """Uncount a user; the last one to leave starts the clock."""
        with resident.changed:
            resident.users -= 1
            resident.last_used_at = time.monotonic()
            resident.changed.notify_all()
        self._wake()

    def close(self) -> None:
        """End the thread; what it is unloading is given up."""
        with self._lock:
            self._closed = True
            self._lock.notify()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(CLOSE_SECONDS)

    def _is_closed(self) -> bool:
        return self._closed

    def _wake(self) -> None:
        with self._lock:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="shim-residents", daemon=True)
                self._thread.start()
            self._lock.notify()

    def _run(self) -> None:
        while True:
            with self._lock:
                if self._closed:
                    return
                due, wait = self._due(time.monotonic())
                if not due:
                    self._lock.wait(wait)
                    continue
            for resident in due:
                self._unload_expired(resident)

    def _due(self, now: float) -> tuple[list[LoadedModel], float | None]:
        """Return whose time is up, and in how many seconds to look again (None: when somebody leaves)."""
        times = [(resident, at) for resident in self._by_key.values() if (at := resident.expires_at) is not None]
        due = [resident for resident, at in times if at <= now and not resident.is_busy]
        waits = [max(at - now, _WAIT_SECONDS) for resident, at in times if at < math.inf and resident not in due]
        return due, min(waits, default=None)

    def _unload_expired(self, resident: LoadedModel) -> None:
        """Unload the model, holding its turn, unless somebody has come back to it."""
        with resident.changed:
            expires_at = resident.expires_at
            if resident.is_busy or expires_at is None or expires_at > time.monotonic():
                return
            resident.is_busy = True
        try:
            with unloading(resident):
                self._unload(resident.key, self._is_closed)
        finally:
            release(resident)


@contextmanager
def unloading(resident: LoadedModel) -> Iterator[None]:
    """Let the block, which holds the turn, unload the model: it goes now, and the next load agrees anew on its stay."""
    with resident.changed:
        resident.keep_alive, resident.last_used_at = 0.0, time.monotonic()
    try:
        yield
    finally:
        forget(resident)


def forget(resident: LoadedModel) -> None:
    """Drop what was agreed."""
    with resident.changed:
        resident.keep_alive = resident.ttl = None
        resident.is_ours = False


def unload_when_idle(resident: LoadedModel) -> bool:
    """Have the model go with its last user, and tell whether it has one."""
    with resident.changed:
        if resident.users:
            resident.keep_alive = 0.0
        return bool(resident.users)


def acquire(resident: LoadedModel, call: BackendCall) -> None:
    """Wait for the model's turn and take it; raise what ``call`` was cancelled with."""
    with resident.changed:
        while resident.is_busy:
            resident.changed.wait(_WAIT_SECONDS)
            call.check()
        resident.is_busy = True


def release(resident: LoadedModel) -> None:
    """Let the next one pass."""
    with resident.changed:
        resident.is_busy = False
        resident.changed.notify_all()


def wait_until_idle(resident: LoadedModel, call: BackendCall) -> None:
    """Wait, holding the turn, until no request uses the model any more."""
    with resident.changed:
        while resident.users:
            resident.changed.wait(_WAIT_SECONDS)
            call.check()
