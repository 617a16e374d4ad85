"""Load the models of SHIM_PRELOAD while the shim starts, so that the first request does not wait for them.

Services often start before LM Studio does, so the shim waits for it. A model that cannot be loaded is a warning.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from flask_shim.errors import ShimError
from flask_shim.lmstudio import BackendCall
from flask_shim.lmstudio.errors import ClientDisconnected, ModelNotFound
from flask_shim.models.waking import never_seen
from flask_shim.services import Services
from flask_shim.translate.ollama.alias_defaults import context_of

log = logging.getLogger(__name__)

RETRY_SECONDS = 10.0
"""How long to wait between two attempts to reach LM Studio."""

_JOIN_SECONDS = 0.1


class Preloader:
    """Loads models by name, pinned, with the context of their alias or of the settings."""

    def __init__(self, services: Services) -> None:
        self._config = services.config
        self._backends = services.backends
        self._registry = services.registry
        self._manager = services.manager

    def load(self, name: str, call: BackendCall) -> None:
        """Load one model; nothing happens if it is loaded already."""
        with self._backends.watchdog.watch(call):
            target = self._registry.find_or_wake(name, call)
            if target is None:
                raise ModelNotFound(f"LM Studio has no model {name!r}")
            context = context_of(target.entry) or self._config.default_context
            self._manager.load_pinned(target, call, context=context)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Load the models of SHIM_PRELOAD on a thread while the block runs; abort what is still loading at its end."""
        if not self._config.preload:
            yield
            return
        stopped = threading.Event()
        thread = threading.Thread(target=self._load_all, args=(stopped,), name="shim-preloading", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            while thread.is_alive():  # repeated, because the thread may be about to send its next request
                self._backends.watchdog.cancel_all(ClientDisconnected())
                thread.join(_JOIN_SECONDS)

    def _load_all(self, stopped: threading.Event) -> None:
        if not (never_seen(self._backends, "") or self._wait_for_lm_studio(stopped)):
            return
        missing, is_logged = self._config.preload, False
        while missing := tuple(name for name in missing if not self._load_or_give_up(name, stopped)):
            if not is_logged:
                log.warning("preloading waits for the LM Studio that has %s", ", ".join(missing))
                is_logged = True
            stopped.wait(RETRY_SECONDS)

    def _load_or_give_up(self, name: str, stopped: threading.Event) -> bool:
        """Load one model; return False if no LM Studio has it now, but one is away that may have it."""
        if stopped.is_set():
            return True
        started_at = time.monotonic()
        try:
            self.load(name, BackendCall(stopped.is_set))
        except ClientDisconnected:
            return True
        except ShimError as exc:
            if isinstance(exc, ModelNotFound) and any(backend.state == "away" for backend in self._backends):
                return False
            log.warning("not preloaded model=%s: %s", name, exc.text)
        else:
            log.info("preloaded model=%s ms=%d", name, (time.monotonic() - started_at) * 1000)
        return True

    def _wait_for_lm_studio(self, stopped: threading.Event) -> bool:
        """Wait until LM Studio lists its models; return False if ``stopped`` is set before."""
        is_logged = False
        while not stopped.is_set():
            try:
                self._backends.listing(max_age=0)
                return True
            except ShimError as exc:
                if not is_logged and not stopped.is_set():
                    log.warning("preloading waits for LM Studio: %s", exc.text)
                is_logged = True
                stopped.wait(RETRY_SECONDS)
        return False
