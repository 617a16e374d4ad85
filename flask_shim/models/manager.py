"""The models in memory: one manager admits requests, loads their models, keeps and unloads them.

Every request to the backend for a model goes through :meth:`ModelManager.use`.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import Any

from flask_shim.errors import Forbidden, ShimError
from flask_shim.lmstudio import BackendCall, LMStudio, Model
from flask_shim.lmstudio.errors import NotSupported
from flask_shim.lmstudio.http.cancellation import Ticks
from flask_shim.models.keep_alive import KeepAliveTracker
from flask_shim.models.loader import CAN_MANAGE, ModelLoader, ModelRequirements
from flask_shim.models.model_use import ModelUse
from flask_shim.models.registry import ResolvedModel
from flask_shim.models.slots import Anywhere, Slots
from flask_shim.observability.request_context import current, current_id
from flask_shim.translate.answer.usage import estimate_prompt_tokens, is_cut, needed_tokens
from flask_shim.translate.ollama.payloads import Defaults, Payload

log = logging.getLogger(__name__)

UNLOAD_SECONDS = 15.0
"""How long the unload of an expired model may take; requests for that model wait meanwhile."""


class ModelManager:
    """Admits requests, loads their models, and unloads them when they expire. Safe to use from any thread."""

    def __init__(
        self,
        backend: LMStudio,
        slots: Slots,
        defaults: Defaults,
        *,
        read_only: bool = False,
        auto_context: bool = False,
    ) -> None:
        """Send nothing yet. With ``read_only``, requests can use models but not load, reload or unload them.

        With ``auto_context``, models are reloaded with more context for prompts that do not fit.
        """
        self.backend = backend
        self.slots = slots
        self._defaults = defaults
        self.tracker = KeepAliveTracker(self._unload_expired)
        self._loader = ModelLoader(backend, self.tracker, defaults)
        self._read_only = read_only
        self._auto_context = auto_context and not read_only

    def check_may_change(self) -> None:
        """Raise Forbidden if clients may not change models."""
        if self._read_only:
            raise Forbidden("this server is read-only (SHIM_READ_ONLY): models cannot be loaded, unloaded or changed")

    def new_call(self, is_disconnected: Callable[[], bool], ticks: Ticks | None = None) -> BackendCall:
        """Return a backend call for the current request, without a slot."""
        timeout = self.backend.options.total_timeout
        headers = {"X-Request-ID": current_id()}
        trace = current().exchange
        call = BackendCall(is_disconnected, total_timeout=timeout, headers=headers, trace=trace, ticks=ticks)
        current().abort = call.cancel
        return call

    @contextmanager
    def admit(self, is_disconnected: Callable[[], bool], ticks: Ticks | None = None) -> Iterator[BackendCall]:
        """Hold a slot and a watched call for a block; raise ServerBusy if no slot gets free in time."""
        call = self.new_call(is_disconnected, ticks)
        record = current()
        # Not the key: most people have one for all programs, and the queue separates an agent from an editor.
        client = record.client, record.user_agent
        with self.slots.take_in_turn(Anywhere, client, call), self.backend.watchdog.watch(call):
            yield call

    @contextmanager
    def use(
        self,
        requirements: ModelRequirements,
        is_disconnected: Callable[[], bool],
        prompt: Payload | None = None,
        ticks: Ticks | None = None,
    ) -> Iterator[ModelUse]:
        """Admit a request and load its model; the block sends with :meth:`ModelUse.send` and reads the answer.

        ``prompt`` is the payload of a chat or a completion, which has to fit in the model's context.
        """
        record = current()
        record.uses(requirements.target.model.key)
        if prompt:
            record.estimate_tokens = partial(estimate_prompt_tokens, prompt)
        if self._read_only:
            requirements = ModelRequirements(target=requirements.target)
        elif self._auto_context and prompt:
            requirements = dataclasses.replace(requirements, tokens=needed_tokens(prompt))
        with self.admit(is_disconnected, ticks) as call:
            use = ModelUse(self._loader, requirements, call, read_only=self._read_only)
            with closing(use):
                use.open()
                yield use
                if prompt and record.tokens_in:
                    self._warn_if_cut(requirements.target.model, record.tokens_in, estimate_prompt_tokens(prompt))

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
        """Load a model to keep it until it is unloaded explicitly, or for a keep-alive that is set."""
        keep_alive = target.entry.profile.keep_alive
        if keep_alive is None and not self._defaults.ttl_seconds:
            keep_alive = math.inf
        requirements = ModelRequirements(
            target=target,
            keep_alive=keep_alive,
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

    def _warn_if_cut(self, model: Model, prompt_tokens: int, estimate: int) -> None:
        """Warn if LM Studio has left out the middle of a prompt, its default for one that does not fit."""
        context = None
        if prompt_tokens < estimate:
            with suppress(ShimError):  # the answer is complete, whatever has happened to LM Studio since
                context = self.loaded_context(model)
        if context and is_cut(prompt_tokens, estimate, context):
            log.warning(
                "model=%s read %d tokens of about %d: the prompt is longer than the context of %d, and LM Studio seems "
                "to have left out its middle. Load the model with more context, or set SHIM_AUTO_CONTEXT=1",
                *(model.key, prompt_tokens, estimate, context),
            )

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
