"""When a loaded model is unloaded, and which thread may load or unload it.

LM Studio 0.4 loads a model just in time, with a ``ttl`` for that load only, or explicitly, without one. Simultaneous
first requests load a copy each, and so does a second explicit load. Every request therefore acquires its model's turn,
and holds it while the model loads.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from flask_shim.lmstudio import BackendCall, Model

_WAIT_SECONDS = 0.1

CLOSE_SECONDS = 2.0
"""How long to wait for the expiry thread, which is a daemon."""

Unload = Callable[[str, Callable[[], bool]], None]
"""Receives a model's key, and a function that returns whether to stop."""


@dataclass(slots=True, eq=False)
class LoadedModel:
    """The turn, the users and the keep-alive of one model. Times are on the :func:`time.monotonic` clock."""

    key: str
    changed: threading.Condition = field(default_factory=threading.Condition, repr=False)
    is_busy: bool = False
    """Whether a thread holds the turn."""
    users: int = 0
    last_used_at: float | None = None
    keep_alive: float | None = None
    """The last ``keep_alive`` that a client sent."""
    ttl: float | None = None
    """The ``ttl`` of the request that made LM Studio load the model."""
    is_ours: bool = False
    """Whether it was loaded through this process. Other models are only unloaded by an explicit request."""
    granted: tuple[int, int | None] = (0, None)
    """The last context asked for at a load, and what LM Studio loaded; None if the load failed or it did not say."""

    @property
    def expires_at(self) -> float | None:
        """When the model is unloaded; infinity while it is in use, None if this process does not unload it."""
        lengths = [length for length in (self.keep_alive, self.ttl) if length is not None]
        if self.last_used_at is None or not lengths or not (self.is_ours or self.keep_alive == 0):
            return None
        return math.inf if self.users else self.last_used_at + min(lengths)

    def seconds_left(self, now: float) -> float:
        """Return the time to the unload; of a model in use, its whole keep-alive; infinity if there is no end."""
        expires_at = self.expires_at
        if expires_at is None:
            return math.inf
        if math.isinf(expires_at):
            return min((length for length in (self.keep_alive, self.ttl) if length is not None), default=math.inf)
        return max(0.0, expires_at - now)

    def has_context(self, model: Model, context: int, wanted: int) -> bool:
        """Return whether ``model`` is loaded with ``context`` tokens, or with as much as LM Studio grants.

        ``wanted`` is the context that a load would ask for.
        """
        loaded = model.loaded_context_length
        if not model.is_loaded or loaded is None or loaded >= context:
            return model.is_loaded  # an unknown length is accepted: a reload costs more
        asked, granted = self.granted
        if granted is None:  # so long a context could not be loaded before
            return 0 < asked <= wanted
        return granted == loaded < asked

    def note_load(self, ttl: float | None) -> None:
        """Record that this process loaded the model; LM Studio unloads it after ``ttl`` idle seconds, or never."""
        self.is_ours, self.ttl = True, ttl

    def forget(self) -> None:
        """Drop the keep-alive and the granted context: the model was unloaded."""
        with self.changed:
            self.keep_alive = self.ttl = None
            self.is_ours = False
            self.granted = (0, None)

    def acquire(self, call: BackendCall) -> None:
        """Wait for the turn and take it; raise the failure of ``call`` if it is canceled."""
        while True:
            with self.changed:
                if self.is_busy:
                    self.changed.wait(_WAIT_SECONDS)
                if not self.is_busy:
                    self.is_busy = True
                    return
            call.check()  # without the lock, as it may send something to the client

    def release(self) -> None:
        """Release the turn."""
        with self.changed:
            self.is_busy = False
            self.changed.notify_all()

    def __enter__(self) -> LoadedModel:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def wait_until_idle(self, call: BackendCall) -> None:
        """Wait, holding the turn, until no request uses the model."""
        while True:
            with self.changed:
                if self.changed.wait_for(lambda: not self.users, _WAIT_SECONDS):
                    return
            call.check()

    def unload_when_idle(self) -> bool:
        """Schedule the unload of a model in use for after its last request; return whether it is in use."""
        with self.changed:
            if self.users:
                self.keep_alive = 0.0
            return bool(self.users)

    @contextmanager
    def unloading(self) -> Iterator[None]:
        """Show the model as expired while the block, which holds the turn, unloads it."""
        with self.changed:
            self.keep_alive, self.last_used_at = 0.0, time.monotonic()
        try:
            yield
        finally:
            self.forget()


class KeepAliveTracker:
    """The models that were used through this process, and the thread that unloads them when they expire."""

    def __init__(self, unload: Unload) -> None:
        """``unload`` is called on the tracker's thread."""
        self._unload = unload
        self._by_key: dict[str, LoadedModel] = {}
        self._lock = threading.Condition()
        self._thread: threading.Thread | None = None
        self._wakes_at = math.inf
        """When the thread looks again by itself."""
        self._closed = False
        self._on_unloaded: Callable[[], None] | None = None
        """What to call once no model is left to unload."""

    def of(self, key: str) -> LoadedModel:
        """Return the entry of a model, created on first use."""
        with self._lock:
            loaded = self._by_key.get(key)
            if loaded is None:
                loaded = self._by_key[key] = LoadedModel(key)
            return loaded

    def enter(self, loaded: LoadedModel, keep_alive: float | None) -> None:
        """Count a user; ``keep_alive`` replaces the previous one unless it is None."""
        with loaded.changed:
            loaded.users += 1
            if keep_alive is not None:
                loaded.keep_alive = keep_alive

    def leave(self, loaded: LoadedModel) -> None:
        """Remove a user; the keep-alive starts with the last one."""
        with loaded.changed:
            loaded.users -= 1
            loaded.last_used_at = time.monotonic()
            loaded.changed.notify_all()
            expires_at = loaded.expires_at
        with self._lock:
            if self._thread is None and not self._closed:
                self._start()
            elif (expires_at is not None and expires_at < self._wakes_at) or self._on_unloaded is not None:
                self._lock.notify()

    def close_when_unloaded(self, then: Callable[[], None]) -> None:
        """Unload the models when they expire, as promised; call ``then`` when none is left, and end the thread."""
        with self._lock:
            self._on_unloaded = then
            if self._thread is None and not self._closed:
                self._start()
            self._lock.notify()

    def resume(self, unload: Unload) -> bool:
        """Unload with ``unload`` from now on, and do not close; return False if it was closed before."""
        with self._lock:
            self._unload, self._on_unloaded = unload, None
            return not self._closed

    def close(self) -> None:
        """End the thread; an unload that is running is aborted."""
        with self._lock:
            self._closed = True
            self._lock.notify()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(CLOSE_SECONDS)

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="shim-keep-alive", daemon=True)
        thread.start()
        self._thread = thread

    def _run(self) -> None:
        while True:
            with self._lock:
                if self._closed:
                    return
                now = time.monotonic()
                due, wait = self._due(now)
                then = self._on_unloaded
                if then is not None and not due and wait is None and not self._in_use():
                    self._closed = True
                    break
                if not due:
                    self._wakes_at = math.inf if wait is None else now + wait
                    self._lock.wait(wait)
                    continue
            for loaded in due:
                self._unload_expired(loaded)
        then()

    def _in_use(self) -> bool:
        return any(loaded.users or loaded.is_busy for loaded in self._by_key.values())

    def _due(self, now: float) -> tuple[list[LoadedModel], float | None]:
        """Return the expired models, and the seconds until the next one expires (None: no time is known)."""
        times = [(loaded, at) for loaded in self._by_key.values() if (at := loaded.expires_at) is not None]
        due = [loaded for loaded, at in times if at <= now and not loaded.is_busy]
        waits = [max(at - now, _WAIT_SECONDS) for loaded, at in times if at < math.inf and loaded not in due]
        return due, min(waits, default=None)

    def _unload_expired(self, loaded: LoadedModel) -> None:
        """Unload a model, holding its turn, unless a request has come for it since it expired."""
        with loaded.changed:
            expires_at = loaded.expires_at
            if loaded.is_busy or expires_at is None or expires_at > time.monotonic():
                return
            loaded.is_busy = True
        try:
            with loaded.unloading():
                self._unload(loaded.key, lambda: self._closed)
        finally:
            loaded.release()
