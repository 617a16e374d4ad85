"""What the routes work with: one value per application, reached through :func:`services`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Flask, current_app

from flask_shim.config import Config
from flask_shim.errors import ShimError
from flask_shim.lmstudio import BackendCall, LMStudio
from flask_shim.lmstudio.catalogue import PATIENCE_SECONDS
from flask_shim.lmstudio.http.options import client_options
from flask_shim.lmstudio.http.waiters import BoundedWaiters
from flask_shim.models.alias_store import FILE_NAME, AliasStore
from flask_shim.models.keep_alive import KeepAliveTracker
from flask_shim.models.registry import ModelRegistry
from flask_shim.models.slots import Slots
from flask_shim.observability.request_context import current_id
from flask_shim.translate.ollama.payloads import Defaults

log = logging.getLogger(__name__)

_KEY = "flask_shim"

PULLS = 3
"""Eighths of the spare threads for watching downloads: each keeps one for hours."""

RELAYS = 2
"""Eighths for lists that are passed on."""

UNLOAD_SECONDS = 15.0
"""How long LM Studio may take to unload a model whose time is up: whoever asks for that model meanwhile has to wait."""


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of one running shim."""

    config: Config
    backend: LMStudio
    aliases: AliasStore
    directory: ModelRegistry
    residents: KeepAliveTracker
    slots: Slots
    pulls: Slots
    relays: BoundedWaiters
    defaults: Defaults

    @classmethod
    def build(cls, config: Config, backend: LMStudio | None = None) -> Services:
        """Put the parts together; nothing is sent yet."""
        backend = backend or LMStudio(client_options(config))
        aliases = AliasStore(config.data_dir / FILE_NAME)
        return cls(
            config=config,
            backend=backend,
            aliases=aliases,
            directory=ModelRegistry(backend, config.model_selector_cache_size, aliases.aliases),
            residents=KeepAliveTracker(lambda key, is_disconnected: _unload(backend, key, is_disconnected)),
            slots=Slots(config.max_streams),
            pulls=Slots(config.spare_threads(PULLS)),
            relays=BoundedWaiters(config.spare_threads(RELAYS), patience=PATIENCE_SECONDS),
            defaults=Defaults(
                temperature=config.default_temperature,
                system_prompt=config.default_system_prompt,
                stop=config.default_stop,
                ttl_seconds=config.default_ttl,
                unload_ttl_seconds=config.unload_ttl,
            ),
        )

    def install(self, app: Flask) -> None:
        """Attach the parts to ``app``."""
        app.extensions[_KEY] = self

    def call(self, is_disconnected: Callable[[], bool]) -> BackendCall:
        """Return a call for the present request: hung up when its client has ``gone``, known by its id."""
        return BackendCall(
            is_disconnected,
            total_timeout=self.backend.options.total_timeout,
            headers={"X-Request-ID": current_id()},
        )

    @contextmanager
    def work(self, is_disconnected: Callable[[], bool]) -> Iterator[BackendCall]:
        """Hold a slot and a watched call for a block: for whatever may take longer than a list does."""
        call = self.call(is_disconnected)
        with self.slots.take(), self.backend.watchdog.watch(call):
            yield call

    def close(self) -> None:
        """End the threads and give up connections."""
        self.residents.close()
        self.backend.close()


def services() -> Services:
    """Return the parts of the current application."""
    return services_of(current_app)


def services_of(app: Flask) -> Services:
    """Return the parts of an application."""
    found: Services = app.extensions[_KEY]
    return found


def _unload(backend: LMStudio, key: str, is_disconnected: Callable[[], bool]) -> None:
    """Unload a model whose time is up; a failure is told in the log, for nobody is waiting for it."""
    try:
        listing = backend.listing(max_age=0)
        if backend.can_manage():
            for model in listing.models:
                if model.key == key:
                    backend.unload(model, call=BackendCall(is_disconnected, total_timeout=UNLOAD_SECONDS))
                    log.info("unloaded model=%s", key)
    except ShimError as exc:
        log.warning("unload failed model=%s: %s", key, exc.text)
