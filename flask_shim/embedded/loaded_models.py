"""The loaded models: explicit loads, loading on first use, idle time, unloading."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from flask_shim.embedded.engine import Engine, EngineSpec, IsDisconnected, LoadConfig, start_engine
from flask_shim.embedded.library import TINY, Entry
from flask_shim.embedded.mini_settings import MiniSettings
from flask_shim.lmstudio.errors import ClientDisconnected, ModelLoadError

log = logging.getLogger(__name__)

TTL_SECONDS = 3600.0
"""LM Studio's own for a model that was loaded on first use."""

LOCK_SECONDS = 0.1
SWEEP_SECONDS = 0.2

TINY_MIN_P = 0.2
"""Less likely words lead the tiny models astray; within a schema, without an end."""


@dataclass(eq=False, kw_only=True)
class MiniLoadedModel:
    """One loaded instance of a model. ``ttl_seconds`` is None for explicit loads, which have no TTL."""

    id: str
    entry: Entry
    config: LoadConfig
    engine: Engine
    load_seconds: float
    ttl_seconds: float | None
    idle_since: float
    busy: int
    is_unloaded: bool = False


@dataclass(eq=False)
class MiniLoadedModels:
    """All loaded models; ``close`` ends their engines."""

    settings: MiniSettings
    _instances: dict[str, MiniLoadedModel] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _loading: defaultdict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))
    _closing: threading.Event = field(default_factory=threading.Event)
    _sweeper: threading.Thread | None = None

    def all(self) -> tuple[MiniLoadedModel, ...]:
        """Return the loaded instances, oldest first; drop those that crashed."""
        with self._lock:
            alive = {id_: instance for id_, instance in self._instances.items() if instance.engine.exit_code is None}
            dead = [instance for id_, instance in self._instances.items() if id_ not in alive]
            self._instances = alive
        self._stop(dead)
        return tuple(alive.values())

    def of(self, key: str) -> tuple[MiniLoadedModel, ...]:
        """Return the loaded instances of a model."""
        return tuple(instance for instance in self.all() if instance.entry.key == key)

    @property
    def open_generations(self) -> int:
        """The number of requests that run on an engine or wait for it."""
        return sum(instance.busy for instance in self.all())

    def load(self, entry: Entry, config: LoadConfig, is_disconnected: IsDisconnected) -> MiniLoadedModel:
        """Load one more instance until it is unloaded; raise ModelLoadError if the engine fails."""
        with self._one_load_of(entry.key, is_disconnected):
            return self._load(entry, config, None, is_disconnected, busy=0)

    def borrow(
        self, entry: Entry, instance_id: str | None, ttl_seconds: float | None, is_disconnected: IsDisconnected
    ) -> MiniLoadedModel:
        """Return a loaded instance, busy until it is given back; load the model if necessary.

        ``ttl_seconds`` counts only if this call loads the model.
        """
        held = self._hold(entry.key, instance_id)
        if held:
            return held
        with self._one_load_of(entry.key, is_disconnected):
            return self._hold(entry.key, instance_id) or self._load_just_in_time(entry, ttl_seconds, is_disconnected)

    def give_back(self, instance: MiniLoadedModel) -> None:
        """End one use; the idle time starts with the end of the last one."""
        with self._lock:
            instance.busy -= 1
            instance.idle_since = self.settings.clock()

    def unload(self, instance_id: str) -> bool:
        """Stop an instance, also during an answer; return False for an unknown id."""
        with self._lock:
            instance = self._instances.pop(instance_id, None)
        self._stop([instance] if instance else [])
        return instance is not None

    def sweep(self) -> None:
        """Unload the instances whose TTL has passed."""
        now = self.settings.clock()
        with self._lock:
            idle = [r for r in self._instances.values() if r.ttl_seconds is not None and not r.busy]
            expired = [r for r in idle if now - r.idle_since >= (r.ttl_seconds or 0.0)]
            for instance in expired:
                del self._instances[instance.id]
        self._stop(expired)

    def close(self) -> None:
        """End every engine, also during a load, and the sweeper."""
        self._closing.set()
        with self._lock:
            instances, self._instances = list(self._instances.values()), {}
        self._stop(instances)
        if self._sweeper:
            self._sweeper.join()

    def _hold(self, key: str, instance_id: str | None) -> MiniLoadedModel | None:
        """Mark a loaded instance as busy and return it; a key means the first one."""
        self.all()
        with self._lock:
            copies = [instance for instance in self._instances.values() if instance.entry.key == key]
            chosen = next((copy for copy in copies if copy.id == (instance_id or key)), copies[0] if copies else None)
            if chosen:
                chosen.busy += 1
            return chosen

    def _load_just_in_time(
        self, entry: Entry, ttl_seconds: float | None, is_disconnected: IsDisconnected
    ) -> MiniLoadedModel:
        config = LoadConfig(context_length=min(self.settings.context_length, entry.max_context_length))
        with self._lock:
            if self._sweeper is None:
                self._sweeper = threading.Thread(target=self._sweep_often, name="ttl", daemon=True)
                self._sweeper.start()
        return self._load(entry, config, ttl_seconds or TTL_SECONDS, is_disconnected, busy=1)

    def _load(
        self, entry: Entry, config: LoadConfig, ttl_seconds: float | None, is_disconnected: IsDisconnected, *, busy: int
    ) -> MiniLoadedModel:
        started, id_ = time.monotonic(), self._free_id(entry.key)
        engine = start_engine(self._spec(entry, config, id_), lambda: is_disconnected() or self._closing.is_set())
        instance = MiniLoadedModel(
            id=id_,
            entry=entry,
            config=config,
            engine=engine,
            load_seconds=time.monotonic() - started,
            ttl_seconds=ttl_seconds,
            idle_since=self.settings.clock(),
            busy=busy,
        )
        with self._lock:
            self._instances[id_] = instance
        if self._closing.is_set():
            self.unload(id_)
            raise ModelLoadError("Operation canceled.")
        log.info("model loaded instance=%s context=%d ms=%d", id_, config.context_length, instance.load_seconds * 1000)
        return instance

    def _spec(self, entry: Entry, config: LoadConfig, id_: str) -> EngineSpec:
        return EngineSpec(
            model=str(entry.path),
            alias=id_,
            config=config,
            slots=self.settings.slots,
            endless=self.settings.endless,
            min_p=TINY_MIN_P if entry.path.parent == TINY else None,
            projector=str(entry.projector) if entry.projector else None,
            is_embedding=entry.is_embedding,
        )

    def _free_id(self, key: str) -> str:
        """Return the key itself, or ``key:2`` and so on for further instances."""
        with self._lock:
            number = 1
            while (id_ := key if number == 1 else f"{key}:{number}") in self._instances:
                number += 1
        return id_

    @contextmanager
    def _one_load_of(self, key: str, is_disconnected: IsDisconnected) -> Iterator[None]:
        """Let one request at a time load a model; the others wait until it is loaded."""
        with self._lock:
            lock = self._loading[key]
        while not lock.acquire(timeout=LOCK_SECONDS):
            if is_disconnected() or self._closing.is_set():
                raise ClientDisconnected
        try:
            yield
        finally:
            lock.release()

    def _stop(self, instances: list[MiniLoadedModel]) -> None:
        for instance in instances:
            instance.is_unloaded = instance.engine.exit_code is None
            instance.engine.stop()
            log.info("model unloaded instance=%s", instance.id)

    def _sweep_often(self) -> None:
        while not self._closing.wait(SWEEP_SECONDS):
            self.sweep()
