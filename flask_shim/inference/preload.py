"""SHIM_PRELOAD: models that are loaded while the shim starts, so that the first to ask need not wait for them.

Services often start before LM Studio does, so it is waited for. What cannot be loaded is a warning.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from flask_shim.errors import ClientDisconnected, ModelNotFound, ShimError
from flask_shim.inference.model_use import load_model, pinned
from flask_shim.lmstudio import BackendCall
from flask_shim.services import Services
from flask_shim.translate.ollama.alias_defaults import context_of

log = logging.getLogger(__name__)

RETRY_SECONDS = 10.0
"""How long to wait before LM Studio is looked for again."""

_LOOK_SECONDS = 0.1


@contextmanager
def preloading(services: Services) -> Iterator[None]:
    """Load the models of the settings on a thread while the block runs; what still loads at its end is given up."""
    if not services.config.preload:
        yield
        return
    stopped = threading.Event()
    thread = threading.Thread(target=_preload_all, args=(services, stopped), name="shim-preloading", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        while thread.is_alive():  # also while it only asks for the list; again, if it was just about to ask
            services.backend.watchdog.cancel_all(ClientDisconnected())
            thread.join(_LOOK_SECONDS)


def preload(services: Services, name: str, call: BackendCall) -> None:
    """Load one model as its name and the settings want it, to stay; nothing happens if it is loaded so."""
    target = services.directory.find(name)
    if target is None:
        raise ModelNotFound(f"LM Studio has no model {name!r}")
    context = context_of(target.entry) or services.config.default_context
    with services.backend.watchdog.watch(call):
        load_model(services, pinned(services, target, context), call)


def _preload_all(services: Services, stopped: threading.Event) -> None:
    if not _wait_for_lm_studio(services, stopped):
        return
    for name in services.config.preload:
        started_at = time.monotonic()
        try:
            preload(services, name, BackendCall(stopped.is_set))
        except ClientDisconnected:
            return
        except ShimError as exc:
            log.warning("not preloaded model=%s: %s", name, exc.text)
        else:
            log.info("preloaded model=%s ms=%d", name, (time.monotonic() - started_at) * 1000)


def _wait_for_lm_studio(services: Services, stopped: threading.Event) -> bool:
    """Wait until LM Studio has a list of models; tell whether it has, and not the shim was stopped."""
    is_told = False
    while not stopped.is_set():
        try:
            services.backend.listing(max_age=0)
        except ShimError as exc:
            if not is_told and not stopped.is_set():
                log.warning("preloading waits for LM Studio: %s", exc.text)
            is_told = True
            stopped.wait(RETRY_SECONDS)
        else:
            return True
    return False
