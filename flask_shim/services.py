"""The parts of one application, reached through :func:`services`."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app

from flask_shim.backend import client_options
from flask_shim.config import Config
from flask_shim.lmstudio import LMStudio
from flask_shim.lmstudio.catalogue import PATIENCE_SECONDS
from flask_shim.lmstudio.http.waiters import BoundedWaiters
from flask_shim.models.alias_store import FILE_NAME, AliasStore
from flask_shim.models.manager import ModelManager
from flask_shim.models.profiles import ModelProfiles
from flask_shim.models.registry import ModelRegistry
from flask_shim.models.slots import Slots
from flask_shim.observability.history import FILE_NAME as HISTORY_FILE
from flask_shim.observability.history import History
from flask_shim.translate.ollama.payloads import Defaults

_KEY = "flask_shim"

PULLS = 3
"""How many eighths of the spare threads may pull models, which can take hours."""

LISTS = 2
"""How many eighths of the spare threads may forward LM Studio's own lists."""


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of one application; the code that built them calls :meth:`close`."""

    config: Config
    backend: LMStudio
    aliases: AliasStore
    registry: ModelRegistry
    manager: ModelManager
    slots: Slots
    pulls: Slots
    list_waiters: BoundedWaiters
    defaults: Defaults
    history: History | None
    """None if SHIM_HISTORY_DAYS is not set."""

    @classmethod
    def build(cls, config: Config, backend: LMStudio | None = None) -> Services:
        """Build the parts; nothing is sent yet."""
        backend = backend or LMStudio(client_options(config))
        aliases = AliasStore(config.data_dir / FILE_NAME)
        slots = Slots(config.max_streams, max_waiting=config.max_waiting, queue_seconds=config.queue_seconds)
        defaults = Defaults(
            temperature=config.default_temperature,
            system_prompt=config.default_system_prompt,
            stop=config.default_stop,
            ttl_seconds=config.default_ttl,
            unload_ttl_seconds=config.unload_ttl,
        )
        return cls(
            config=config,
            backend=backend,
            aliases=aliases,
            registry=ModelRegistry(
                backend, config.model_selector_cache_size, aliases.aliases, ModelProfiles(config.file.models)
            ),
            manager=ModelManager(
                backend, slots, defaults, read_only=config.read_only, auto_context=config.auto_context
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

    def close(self) -> None:
        """End the threads of this application and close its connections to LM Studio; requests in flight fail.

        For tests and processes with several applications. It may be called more than once.
        """
        self.manager.close()
        if self.history is not None:
            self.history.close()
        self.backend.close()


def services() -> Services:
    """Return the parts of the current application."""
    return services_of(current_app)


def services_of(app: Flask) -> Services:
    """Return the parts of ``app``."""
    found: Services = app.extensions[_KEY]
    return found
