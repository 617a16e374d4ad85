"""One request's use of its model: what must be loaded for it, and when it is sent a second time."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flask_shim.errors import ShimError
from flask_shim.lmstudio import BackendCall, Kind, LMStudio, Model
from flask_shim.lmstudio.errors import (
    BackendTimeout,
    BackendUnavailable,
    ContextOverflow,
    ModelEvicted,
    ModelLoadError,
    NoModelLoaded,
    UnsupportedReasoningEffort,
)
from flask_shim.models.keep_alive import LoadedModel
from flask_shim.models.loader import ModelLoader, ModelRequirements
from flask_shim.models.pool import Backends
from flask_shim.models.registry import ResolvedModel
from flask_shim.models.routing import Placement
from flask_shim.models.slots import Slot
from flask_shim.models.waking import wake
from flask_shim.observability.request_context import current
from flask_shim.translate.answer.usage import needed_tokens
from flask_shim.translate.ollama.payloads import Payload, to_other_server

log = logging.getLogger(__name__)

T = TypeVar("T")


class ModelUse:
    """One request's use of its model, until :meth:`close`.

    ``call`` is the backend call of the request. ``is_cold`` says whether the request itself makes LM Studio load the
    model. Its turn is then held until the answer begins, since simultaneous first requests would load a copy each.
    """

    def __init__(
        self,
        backends: Backends,
        slot: Slot[Placement],
        requirements: ModelRequirements,
        call: BackendCall,
        *,
        read_only: bool,
    ) -> None:
        """Watch ``call``, and own ``slot``, whose place is where the model is used; :meth:`open` comes next.

        With ``read_only``, the model is neither loaded explicitly nor unloaded.
        """
        self.call = call
        self.is_cold = False
        self._backends = backends
        self._slot = slot
        self._placement = slot.place
        self._requirements = requirements
        self._read_only = read_only
        self._has_woken = False
        self._turn: LoadedModel | None = None  # while this request holds the turn
        self._loaded: LoadedModel | None = None  # while this request is one of the users
        backends.watchdog.add(call)

    @property
    def target(self) -> ResolvedModel:
        """The model at the backend that answers."""
        return self._placement.target

    @property
    def client(self) -> LMStudio:
        """The client of the backend that answers."""
        return self.target.backend.client

    @property
    def _loader(self) -> ModelLoader:
        return self.target.backend.loader

    def open(self) -> None:
        """Load or reload the model if its context requires that, and count as one of its users.

        A backend that cannot be reached, or cannot load the model, is replaced by another one that has it. If there is
        no other, and it can be woken, it is.
        """
        while True:
            try:
                backend = self.target.backend
                if backend.is_asleep and not self._has_woken:
                    self._has_woken = True
                    wake(self._backends, (backend,), self.call)
                self._open()
                return
            except (BackendUnavailable, ModelLoadError) as exc:
                self._move(exc)

    def current_model(self, max_age: float | None = None) -> Model:
        """Return the model as its backend lists it, in a list no older than ``max_age``."""
        return self._loader.current(self.target.model, max_age)

    def _open(self) -> None:
        target, loader = self.target, self._loader
        if self._requirements.target is not target:
            self._requirements = dataclasses.replace(self._requirements, target=target)
        if not target.listing.reports_state:
            return
        loaded = self._turn = loader.take_turn(target.model.key, self.call)
        self.is_cold = not loader.prepare(self._requirements, loaded, self.call, max_age=None)
        # LM Studio documents no just-in-time loading of decision models.
        is_loaded_first = self._requirements.tokens or (target.model.kind is Kind.DECISION and not self._read_only)
        if self.is_cold and is_loaded_first and loader.backend.can_manage():
            loader.load_on_demand(self._requirements, loaded, self.call)
            self.is_cold = not loader.prepare(self._requirements, loaded, self.call)
        loader.tracker.enter(loaded, self._requirements.keep_alive)
        self._loaded = loaded
        if self.is_cold:
            loaded.is_ours = False  # if this process loaded it before, LM Studio or its user has unloaded it since
        else:
            self._end_turn()

    def _move(self, failure: ShimError) -> None:
        """Give up the backend that failed and take another place; raise the failure if no other one is free.

        A backend that can be woken is the last one.
        """
        self._leave_model()
        backend = self.target.backend
        if isinstance(failure, BackendUnavailable):
            self._backends.leave_out(backend, failure)
        if self._placement.move():
            log.warning(
                "backend=%s answers instead of %s: %s", self.target.backend.name, backend.name, failure.safe_text
            )
        elif self._has_woken or not backend.is_asleep:
            raise failure

    def send(self, send: Callable[[Payload], T], payload: Mapping[str, Any]) -> T:
        """Return ``send(payload)`` with the model's name in the payload.

        ``send`` is called again, once for each of these failures, if the model was evicted, nothing is loaded, the
        reasoning effort or the limit of the answer was rejected, or the model was reloaded for a prompt that does not
        fit. It must not have sent anything to the client when it raises. As in :meth:`open`, a backend may be replaced.
        """
        while True:
            try:
                return self._send(send, payload)
            except (BackendUnavailable, ModelLoadError) as exc:
                if isinstance(exc, ModelLoadError) and not self.is_cold:
                    raise  # the model crashed: the same prompt might make it crash everywhere
                self._move(exc)
                self.open()

    def _send(self, send: Callable[[Payload], T], payload: Mapping[str, Any]) -> T:
        target = self.target
        named = {**payload, "model": target.identifier}
        if not target.listing.reports_state:
            named = to_other_server(named, target.model)
        if self.is_cold:
            current().begin_load()
        else:
            current().begin_prompt()
        answer = self._send_until_answered(send, named)
        if self.is_cold:
            loaded = self._loader.tracker.of(target.model.key)
            if self._read_only or loaded.is_ours:
                self.client.catalogue.expire()
            else:
                self._loader.note_jit_load(self._requirements, loaded)
            self._end_turn()
        return answer

    def _send_until_answered(self, send: Callable[[Payload], T], payload: Payload) -> T:
        recovered: set[type[ShimError]] = set()
        while True:
            try:
                return send(payload)
            except (ModelEvicted, NoModelLoaded, UnsupportedReasoningEffort, ContextOverflow) as exc:
                if type(exc) in recovered:
                    raise
                recovered.add(type(exc))
                payload = self._recover(exc, payload)

    def close(self) -> None:
        """Release the model, the slot and the call; safe to call twice."""
        if self._slot.is_released:
            return
        try:
            self._leave_model()
            if isinstance(self.call.failure, BackendTimeout):
                self._backends.suspect(self.target.backend)
        finally:
            self._backends.watchdog.remove(self.call)
            self._slot.release()

    def _leave_model(self) -> None:
        """Count no longer as a user of the model, and release its turn."""
        self._end_turn()
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            self._loader.tracker.leave(loaded)

    def _end_turn(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.release()

    def _recover(self, failure: ShimError, payload: Payload) -> Payload:
        """Remove the cause of a failure and return the payload for the next attempt, or raise the failure."""
        if isinstance(failure, ContextOverflow) and (self.target.listing.reports_state or "messages" not in payload):
            self._enlarge(failure, payload)
            return payload
        if isinstance(failure, UnsupportedReasoningEffort | ContextOverflow):
            # vLLM rejects a limit above the rest of the context; other servers end the answer there (vllm#42474).
            is_limit = isinstance(failure, ContextOverflow)
            names = ("max_tokens", "max_completion_tokens") if is_limit else ("reasoning_effort",)
            left = {key: value for key, value in payload.items() if key not in names}
            if len(left) == len(payload):
                raise failure
            log.debug("left out %s: %s", " or ".join(names), failure.text)
            return left
        jit_is_off = isinstance(failure, NoModelLoaded)
        if jit_is_off and self._read_only:
            raise failure
        self._reopen()
        target = self.target
        if jit_is_off and (self.is_cold or not target.listing.reports_state):
            self._loader.load_on_demand(self._requirements, self._loader.tracker.of(target.model.key), self.call)
        return payload

    def _enlarge(self, overflow: ContextOverflow, payload: Payload) -> None:
        """Reload the model with the context that the prompt needs; raise the overflow if it gets no larger one."""
        if not self._requirements.tokens:
            raise overflow
        model = self._loader.current(self.target.model)
        prompt_tokens = max(overflow.prompt_tokens or 0, (model.loaded_context_length or 0) + 1)
        if model.max_context_length is not None and prompt_tokens > model.max_context_length:
            raise overflow
        self._requirements = dataclasses.replace(self._requirements, tokens=needed_tokens(payload, prompt_tokens))
        self._reopen()
        if (self._loader.current(model).loaded_context_length or 0) < prompt_tokens:
            raise overflow
        current().begin_prompt()

    def _reopen(self) -> None:
        self._leave_model()  # a reload waits until the model has no users
        self.client.catalogue.expire()
        self._open()
