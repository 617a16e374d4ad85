"""The parts of one application, reached through :func:`services`."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field

from flask import Flask, current_app

from flask_shim.backend import all_client_options
from flask_shim.config import Config, ConfigError
from flask_shim.config.backend_table import BackendTable
from flask_shim.config.shim_file import ShimFile
from flask_shim.config.toml_tables import kinds_of
from flask_shim.lmstudio import LMStudio
from flask_shim.lmstudio.catalogue import PATIENCE_SECONDS
from flask_shim.lmstudio.http.cancellation import Watchdog
from flask_shim.lmstudio.http.waiters import BoundedWaiters
from flask_shim.lmstudio.wake import Waker
from flask_shim.models.alias_store import FILE_NAME, AliasStore
from flask_shim.models.backends import Backend
from flask_shim.models.loader import ModelLoader
from flask_shim.models.manager import ModelManager
from flask_shim.models.pool import Backends
from flask_shim.models.profiles import ModelProfiles
from flask_shim.models.registry import ModelRegistry
from flask_shim.models.slots import Slots
from flask_shim.observability import logs
from flask_shim.observability.history import FILE_NAME as HISTORY_FILE
from flask_shim.observability.history import History
from flask_shim.translate.ollama.payloads import Defaults

log = logging.getLogger(__name__)

_KEY = "flask_shim"

RELOAD = "reload"
"""The question that makes another worker read ``flask-shim.toml`` again."""

PULLS = 3
"""How many eighths of the spare threads may pull models, which can take hours."""

LISTS = 2
"""How many eighths of the spare threads may forward LM Studio's own lists."""


@dataclass(slots=True, eq=False)
class Services:
    """The parts of one application; the code that built them calls :meth:`close`."""

    config: Config
    """The settings; only :meth:`reload` replaces them, by those with other tables."""
    backends: Backends
    aliases: AliasStore
    registry: ModelRegistry
    manager: ModelManager
    slots: Slots
    pulls: Slots
    list_waiters: BoundedWaiters
    defaults: Defaults
    history: History | None
    """None if SHIM_HISTORY_DAYS is not set."""
    _reloading: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def build(cls, config: Config, backend: LMStudio | None = None) -> Services:
        """Build the parts; nothing is sent yet."""
        aliases = AliasStore(config.data_dir / FILE_NAME)
        slots = Slots(config.max_streams, max_waiting=config.max_waiting, queue_seconds=config.queue_seconds)
        defaults = Defaults(
            temperature=config.default_temperature,
            system_prompt=config.default_system_prompt,
            stop=config.default_stop,
            ttl_seconds=config.default_ttl,
            unload_ttl_seconds=config.unload_ttl,
        )
        if backend is None:
            watchdog = Watchdog()
            backends = Backends(build_backends(config, defaults, watchdog), watchdog, slots.start_waiting)
        else:
            only = Backend(client=backend, loader=ModelLoader(backend, defaults))
            backends = Backends([only], backend.watchdog)
        return cls(
            config=config,
            backends=backends,
            aliases=aliases,
            registry=ModelRegistry(
                backends, config.model_selector_cache_size, aliases.aliases, ModelProfiles(config.file.models)
            ),
            manager=ModelManager(
                backends, slots, defaults, read_only=config.read_only, auto_context=config.auto_context
            ),
            slots=slots,
            pulls=Slots(config.spare_threads(PULLS)),
            list_waiters=BoundedWaiters(config.spare_threads(LISTS), patience=PATIENCE_SECONDS),
            defaults=defaults,
            history=History(config.data_dir / HISTORY_FILE, config.history_days) if config.history_days else None,
        )

    def init_app(self, app: Flask) -> None:
        """Attach the parts to ``app``."""
        app.extensions[_KEY] = self

    def reload(self) -> tuple[str, ...]:
        """Take over what ``flask-shim.toml`` says now; return its mistakes, with which nothing changes.

        Requests in flight end as they began.
        """
        with self._reloading:
            try:
                config = self.config.with_current_file()
            except ConfigError as exc:
                for problem in exc.problems:
                    log.error("not reloaded: %s", problem)
                return exc.problems
            logs.redact(self.config, config)
            self.registry.profiles = ModelProfiles(config.file.models)
            self.backends.update(build_backends(config, self.defaults, self.backends.watchdog))
            self.config = config
        counts = [f"{name}={len(getattr(config.file, name))}" for name in kinds_of(ShimFile)]
        log.info("reloaded file=%s %s", logs.quoted(config.file.path), " ".join(counts))
        return ()

    def close(self) -> None:
        """End the threads of this application and close its connections to LM Studio; requests in flight fail.

        For tests and processes with several applications. It may be called more than once.
        """
        if self.history is not None:
            self.history.close()
        self.backends.close()


def build_backends(config: Config, defaults: Defaults, watchdog: Watchdog) -> list[Backend]:
    """Return the LM Studios of the file, else the one of the settings; nothing is sent yet."""
    options = all_client_options(config)
    backends = []
    for table in config.file.backends or (BackendTable(),):
        client = LMStudio(options[table.name], watchdog=watchdog)
        backends.append(
            Backend(
                client=client,
                loader=ModelLoader(client, defaults),
                name=table.name,
                priority=table.priority,
                max_streams=table.max_streams,
                is_draining=table.drain,
                waker=Waker(table.wake, table.url) if table.wake else None,
            )
        )
    return backends


def services() -> Services:
    """Return the parts of the current application."""
    # The application itself: reading an attribute through Flask's proxy would take most of the time of this function.
    return services_of(current_app._get_current_object())  # type: ignore[attr-defined]


def services_of(app: Flask) -> Services:
    """Return the parts of ``app``."""
    found: Services = app.extensions[_KEY]
    return found
