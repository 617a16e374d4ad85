"""The models in memory: one manager admits requests, loads their models, keeps and unloads them.

Every request to the backend for a model goes through :meth:`ModelManager.use`.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from flask_shim.errors import Forbidden
from flask_shim.lmstudio import BackendCall, Model
from flask_shim.lmstudio.http.cancellation import Ticks
from flask_shim.models.loader import ModelRequirements
from flask_shim.models.model_use import ModelUse
from flask_shim.models.pool import Backends
from flask_shim.models.registry import ResolvedModel
from flask_shim.models.routing import Router, conversation_of
from flask_shim.models.slots import Anywhere, P, Slot, Slots
from flask_shim.models.waking import wake
from flask_shim.observability.request_context import current, current_id
from flask_shim.translate.answer.usage import estimate_prompt_tokens, needed_tokens
from flask_shim.translate.ollama.payloads import Defaults, Payload


class ModelManager:
    """Admits requests, loads their models, and unloads them when they expire. Safe to use from any thread."""

    def __init__(
        self,
        backends: Backends,
        slots: Slots,
        defaults: Defaults,
        *,
        read_only: bool = False,
        auto_context: bool = False,
    ) -> None:
        """Send nothing yet. With ``read_only``, requests can use models but not load, reload or unload them.

        With ``auto_context``, models are reloaded with more context for prompts that do not fit.
        """
        self.backends = backends
        self.slots = slots
        self._defaults = defaults
        self._router = Router(slots.start_waiting)
        self._read_only = read_only
        self._auto_context = auto_context and not read_only

    def check_may_change(self) -> None:
        """Raise Forbidden if clients may not change models."""
        if self._read_only:
            raise Forbidden("this server is read-only (SHIM_READ_ONLY): models cannot be loaded, unloaded or changed")

    def new_call(self, ticks: Ticks | None = None) -> BackendCall:
        """Return a backend call for the current request, without a slot."""
        timeout = self.backends.first.client.options.total_timeout
        headers = {"X-Request-ID": current_id()}
        trace = current().exchange
        call = BackendCall(current().is_disconnected, total_timeout=timeout, headers=headers, trace=trace, ticks=ticks)
        current().abort = call.cancel
        return call

    @contextmanager
    def admit(self, ticks: Ticks | None = None) -> Iterator[BackendCall]:
        """Hold a slot and a watched call for a block; raise ServerBusy if no slot gets free in time."""
        call = self.new_call(ticks)
        with self._take(Anywhere, call), self.backends.watchdog.watch(call):
            yield call

    def use(
        self, requirements: ModelRequirements, prompt: Payload | None = None, ticks: Ticks | None = None
    ) -> ModelUse:
        """Admit a request and load its model; the caller sends with :meth:`ModelUse.send` and closes it in the end.

        ``prompt`` is the payload of a chat or a completion, which has to fit in the model's context.
        """
        record, target = current(), requirements.target
        record.set_model(target.model.key)
        if prompt and record.estimate_tokens is None:
            record.estimate_tokens = partial(estimate_prompt_tokens, prompt)
        if self._read_only:
            requirements = ModelRequirements(target=target)
        elif self._auto_context and prompt:
            requirements = dataclasses.replace(requirements, tokens=needed_tokens(prompt))
        conversation = conversation_of(prompt) if prompt and target.others else None
        call = self.new_call(ticks)
        slot = self._take(partial(self._router.start, target, conversation), call)
        use = ModelUse(self.backends, slot, requirements, call, read_only=self._read_only)
        try:
            use.open()
        except BaseException:
            use.close()
            raise
        return use

    def _take(self, try_start: Callable[[], P | None], call: BackendCall) -> Slot[P]:
        record = current()
        # Not the key: most people have one for all programs, and the queue separates an agent from an editor.
        return self.slots.take_in_turn(try_start, (record.client, record.user_agent), call)

    def load(self, requirements: ModelRequirements, call: BackendCall) -> None:
        """Load a model where it would be used now, and start its keep-alive; do not reload it without need."""
        target = requirements.target
        wake(self.backends, (target.backend,), call)
        loader = target.backend.loader
        with loader.take_turn(target.model.key, call) as loaded:
            if not loader.prepare(requirements, loaded, call):
                loader.load_on_demand(requirements, loaded, call)
            if target.listing.reports_state:
                loader.tracker.enter(loaded, requirements.keep_alive)
                loader.tracker.leave(loaded)

    def load_pinned(
        self,
        target: ResolvedModel,
        call: BackendCall,
        *,
        context: int = 0,
        settings: Mapping[str, Any] | None = None,
        must_fit: bool = False,
    ) -> None:
        """Load a model to keep it until it is unloaded explicitly, or for a keep-alive that is set."""
        keep_alive = target.entry.profile.keep_alive
        if keep_alive is None and not self._defaults.ttl_seconds:
            keep_alive = math.inf
        requirements = ModelRequirements(
            target=target, keep_alive=keep_alive, context=context, settings=settings or {}, must_fit=must_fit
        )
        self.load(requirements, call)

    def unload(self, target: ResolvedModel, call: BackendCall, *, instance: str = "") -> tuple[str, ...]:
        """Unload a model wherever it is loaded, or one ``instance``, and return what was unloaded.

        A model in use is unloaded afterwards.
        """
        return tuple(
            name
            for place in target.places
            if not place.backend.is_asleep
            for name in place.backend.loader.unload(place.model, call, instance=instance)
        )

    def seconds_left(self, model: Model) -> float:
        """Return the seconds until a loaded model is unloaded everywhere; infinity if no end is set."""
        now = time.monotonic()
        ends = [backend.loader.tracker.of(model.key).seconds_left(now) for backend in self.backends]
        finite = [end for end in ends if end < math.inf]
        return max(finite, default=math.inf)
