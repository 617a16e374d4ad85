"""The models in memory: used, loaded, kept and unloaded by one manager, the only way to the backend."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from flask_shim.errors import Forbidden, ShimError
from flask_shim.lmstudio import BackendCall, LMStudio, Model
from flask_shim.lmstudio.errors import NotSupported
from flask_shim.models.keep_alive import KeepAliveTracker
from flask_shim.models.loader import CAN_MANAGE, ModelLoader, ModelRequirements
from flask_shim.models.model_use import ModelUse
from flask_shim.models.registry import ResolvedModel
from flask_shim.models.slots import Slots
from flask_shim.observability.request_context import current, current_id
from flask_shim.translate.ollama.payloads import Defaults

log = logging.getLogger(__name__)

UNLOAD_SECONDS = 15.0
"""How long the unload of an expired model may take: requests for that model wait meanwhile."""


class ModelManager:
    """Admits requests, loads their models, and unloads them when they expire. Safe to use from any thread."""

    def __init__(self, backend: LMStudio, slots: Slots, defaults: Defaults, *, read_only: bool = False) -> None:
        """Send nothing yet. With ``read_only``, requests can use models but not load, reload or unload them."""
        self.backend = backend
        self.slots = slots
        self._defaults = defaults
        self.tracker = KeepAliveTracker(self._unload_expired)
        self._loader = ModelLoader(backend, self.tracker, defaults)
        self._read_only = read_only

    def check_may_change(self) -> None:
        """Raise Forbidden if clients may not change models; for every route that changes them."""
        if self._read_only:
            raise Forbidden("this server is read-only (SHIM_READ_ONLY): models cannot be loaded, unloaded or changed")

    def new_call(self, is_disconnected: Callable[[], bool]) -> BackendCall:
        """Return a backend call for the present request, without a slot."""
        timeout = self.backend.options.total_timeout
        return BackendCall(is_disconnected, total_timeout=timeout, headers={"X-Request-ID": current_id()})

    @contextmanager
    def admit(self, is_disconnected: Callable[[], bool]) -> Iterator[BackendCall]:
        """Hold a slot and a watched call for a block; raise ServerBusy if no slot is free."""
        call = self.new_call(is_disconnected)
        with self.slots.take(), self.backend.watchdog.watch(call):
            yield call

    @contextmanager
    def use(self, requirements: ModelRequirements, is_disconnected: Callable[[], bool]) -> Iterator[ModelUse]:
        """Admit a request and load its model; the block sends with :meth:`ModelUse.send` and reads the answer."""
        current().uses(requirements.target.model.key)
        if self._read_only:
            requirements = ModelRequirements(target=requirements.target)
        with self.admit(is_disconnected) as call:
            use = ModelUse(self._loader, requirements, call, read_only=self._read_only)
            with closing(use):
                use.open()
                yield use

    def load(self, requirements: ModelRequirements, call: BackendCall) -> None:
        """Load a model and start its keep-alive; a model that is loaded as required is left as it is."""
        target = requirements.target
        with self._loader.turn(target.model.key, call) as loaded:
            if not self._loader.prepare(requirements, loaded, call):
                self._loader.load_on_demand(requirements, loaded, call)
            if target.listing.generation.reports_state:
                self.tracker.enter(loaded, requirements.keep_alive)
                self.tracker.leave(loaded)

    def load_pinned(
        self,
        target: ResolvedModel,
        call: BackendCall,
        *,
        context: int = 0,
        settings: Mapping[str, Any] | None = None,
        must_fit: bool = False,
    ) -> None:
        """Load a model to keep it until it is unloaded explicitly, or for the default keep-alive if one is set."""
        requirements = ModelRequirements(
            target=target,
            keep_alive=None if self._defaults.ttl_seconds else math.inf,
            context=context,
            settings=settings or {},
            must_fit=must_fit,
        )
        self.load(requirements, call)

    def unload(self, model: Model, call: BackendCall, *, instance: str = "") -> tuple[str, ...]:
        """Unload a model, or one ``instance``, and return what was unloaded; a model in use is unloaded afterwards."""
        if not self.backend.can_manage():
            if self._loaded_now(model) is not None:
                raise NotSupported(f"this LM Studio cannot unload a model over HTTP: that needs {CAN_MANAGE}")
            return ()
        if self.tracker.of(model.key).unload_when_idle():
            return ()
        with self._loader.turn(model.key, call) as loaded:
            # A request that held the turn has loaded the model in order to use it.
            if loaded.unload_when_idle() or (loaded_model := self._loaded_now(model)) is None:
                return ()
            with loaded.unloading():
                return self.backend.unload(instance or loaded_model, call=call)

    def loaded_context(self, model: Model) -> int | None:
        """Return the context that a model is loaded with; None if that is not known."""
        return self._loader.current(model, max_age=None).loaded_context_length

    def seconds_left(self, model: Model) -> float:
        """Return the seconds until a loaded model is unloaded; infinity if no end is set."""
        return self.tracker.of(model.key).seconds_left(time.monotonic())

    def close(self) -> None:
        """End the expiry thread; an unload that is running is aborted."""
        self.tracker.close()

    def _loaded_now(self, model: Model) -> Model | None:
        """Return the model as it is listed now; None if it is certain that it is not loaded."""
        current_model = self._loader.current(model)
        is_known = self.backend.listing().generation.reports_state
        return current_model if current_model.is_loaded or not is_known else None

    def _unload_expired(self, key: str, is_closed: Callable[[], bool]) -> None:
        try:
            models = [model for model in self.backend.listing(max_age=0).models if model.key == key]
            if models and self.backend.can_manage():
                self.backend.unload(models[0], call=BackendCall(is_closed, total_timeout=UNLOAD_SECONDS))
                log.info("unloaded model=%s", key)
        except ShimError as exc:
            log.warning("unload failed model=%s: %s", key, exc.text)
