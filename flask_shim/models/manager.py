"""The models in memory: one manager admits requests, loads their models, keeps and unloads them.

Every request to the backend for a model goes through :meth:`ModelManager.use`.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from typing import Any, TypeVar

from flask_shim.errors import Forbidden, ShimError
from flask_shim.lmstudio import BackendCall, LMStudio, Model
from flask_shim.lmstudio.errors import ModelEvicted, NoModelLoaded, NotSupported, UnsupportedReasoningEffort
from flask_shim.models.keep_alive import KeepAliveTracker
from flask_shim.models.loader import CAN_MANAGE, ModelLoader, ModelRequirements
from flask_shim.models.registry import ResolvedModel
from flask_shim.models.slots import Slots
from flask_shim.observability.request_context import current, current_id
from flask_shim.translate.ollama.payloads import Defaults, Payload

log = logging.getLogger(__name__)

UNLOAD_SECONDS = 15.0
"""How long the unload of an expired model may take; requests for that model wait meanwhile."""

T = TypeVar("T")


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
        """Raise Forbidden if clients may not change models."""
        if self._read_only:
            raise Forbidden("this server is read-only (SHIM_READ_ONLY): models cannot be loaded, unloaded or changed")

    def new_call(self, is_disconnected: Callable[[], bool]) -> BackendCall:
        """Return a backend call for the current request, without a slot."""
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
        """Load a model and start its keep-alive; do not reload a model that meets the requirements."""
        target = requirements.target
        with self._loader.turn(target.model.key, call) as loaded:
            if not self._loader.prepare(requirements, loaded, call):
                self._loader.load_on_demand(requirements, loaded, call)
            if target.listing.reports_state:
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
            if self._is_loaded(model):
                raise NotSupported(f"this LM Studio cannot unload a model over HTTP: that needs {CAN_MANAGE}")
            return ()
        if self.tracker.of(model.key).unload_when_idle():
            return ()
        with self._loader.turn(model.key, call) as loaded:
            # A request that held the turn has loaded the model in order to use it.
            if loaded.unload_when_idle() or not self._is_loaded(model):
                return ()
            with loaded.unloading():
                return self.backend.unload(instance or self._loader.current(model), call=call)

    def loaded_context(self, model: Model) -> int | None:
        """Return the context that a model is loaded with; None if that is not known."""
        return self._loader.current(model, max_age=None).loaded_context_length

    def seconds_left(self, model: Model) -> float:
        """Return the seconds until a loaded model is unloaded; infinity if no end is set."""
        return self.tracker.of(model.key).seconds_left(time.monotonic())

    def close(self) -> None:
        """End the expiry thread, and abort an unload that is running."""
        self.tracker.close()

    def _is_loaded(self, model: Model) -> bool:
        """Return whether a model may be loaded now: certain unless the backend does not report it."""
        return self._loader.current(model).is_loaded or not self.backend.listing().reports_state

    def _unload_expired(self, key: str, is_closed: Callable[[], bool]) -> None:
        try:
            models = [model for model in self.backend.listing(max_age=0).models if model.key == key]
            if models and self.backend.can_manage():
                self.backend.unload(models[0], call=BackendCall(is_closed, total_timeout=UNLOAD_SECONDS))
                log.info("unloaded model=%s", key)
        except ShimError as exc:
            log.warning("unload failed model=%s: %s", key, exc.text)


class ModelUse:
    """One request's place among the users of its model, from :meth:`open` to :meth:`close`.

    ``call`` is the backend call of the request. ``is_cold`` says whether the request itself makes LM Studio load the
    model. Its turn is then held until the answer begins, since simultaneous first requests would load a copy each.
    """

    def __init__(
        self, loader: ModelLoader, requirements: ModelRequirements, call: BackendCall, *, read_only: bool
    ) -> None:
        """Hold nothing yet. With ``read_only``, the model is neither loaded explicitly nor unloaded."""
        self.call = call
        self.is_cold = False
        self._loader = loader
        self._requirements = requirements
        self._read_only = read_only
        self._turn = ExitStack()
        self._place = ExitStack()

    def open(self) -> None:
        """Load or reload the model if its context requires that, and count as one of its users."""
        target, loader = self._requirements.target, self._loader
        if not target.listing.reports_state:
            return
        loaded = self._turn.enter_context(loader.turn(target.model.key, self.call))
        self.is_cold = not loader.prepare(self._requirements, loaded, self.call, max_age=None)
        loader.tracker.enter(loaded, self._requirements.keep_alive)
        self._place.callback(loader.tracker.leave, loaded)
        if self.is_cold:
            loaded.is_ours = False  # if this process loaded it before, LM Studio or its user has unloaded it since
        else:
            self._turn.close()

    def send(self, send: Callable[[Payload], T], payload: Mapping[str, Any]) -> T:
        """Return ``send(payload)`` with the model's name in the payload.

        ``send`` is called a second time if the model was evicted, nothing is loaded, or the reasoning effort was
        rejected. It must not have sent anything to the client when it raises.
        """
        target = self._requirements.target
        named = {**payload, "model": target.identifier}
        try:
            answer = send(named)
        except (ModelEvicted, NoModelLoaded, UnsupportedReasoningEffort) as exc:
            answer = send(self._recover(exc, named))
        if self.is_cold:
            loaded = self._loader.tracker.of(target.model.key)
            if self._read_only or loaded.is_ours:
                self._loader.backend.catalogue.expire()
            else:
                self._loader.note_jit_load(self._requirements, loaded)
            self._turn.close()
        return answer

    def close(self) -> None:
        """Release the turn and the place; safe to call twice."""
        self._turn.close()
        self._place.close()

    def _recover(self, failure: ShimError, payload: Payload) -> Payload:
        """Remove the cause of a failure and return the payload for the second attempt, or raise the failure."""
        if isinstance(failure, UnsupportedReasoningEffort):
            if "reasoning_effort" not in payload:
                raise failure
            log.debug("left out reasoning_effort: %s", failure.text)
            return {key: value for key, value in payload.items() if key != "reasoning_effort"}
        jit_is_off = isinstance(failure, NoModelLoaded)
        if jit_is_off and self._read_only:
            raise failure
        self.close()  # a reload waits until the model has no users
        self._loader.backend.catalogue.expire()
        self.open()
        target = self._requirements.target
        if jit_is_off and (self.is_cold or not target.listing.reports_state):
            self._loader.load_on_demand(self._requirements, self._loader.tracker.of(target.model.key), self.call)
        return payload
