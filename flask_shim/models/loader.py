"""Load and reload models; callers hold the model's turn."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask_shim.errors import ShimError
from flask_shim.lmstudio import BackendCall, LMStudio, Model
from flask_shim.lmstudio.api_versions import ApiVersion
from flask_shim.lmstudio.errors import BackendRequestError, ModelLoadError, NoModelLoaded, NoSuchEndpoint, NotSupported
from flask_shim.models.keep_alive import KeepAliveTracker, LoadedModel
from flask_shim.observability.request_context import current
from flask_shim.translate.answer.usage import context_for
from flask_shim.translate.ollama.listing import Entry
from flask_shim.translate.ollama.payloads import Defaults, to_ttl

if TYPE_CHECKING:  # the registry imports this module
    from flask_shim.models.registry import ResolvedModel

log = logging.getLogger(__name__)

JIT_TTL_SECONDS = 3600.0
"""LM Studio's default ``ttl`` for a model that it loads just in time."""

UNLOAD_SECONDS = 15.0
"""How long the unload of an expired model may take; requests for that model wait meanwhile."""

_REFUSALS = (ModelLoadError, BackendRequestError, NotSupported)

CAN_MANAGE = "LM Studio 0.4 or later, or its lms tool on this machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequirements:
    """What a request requires of its model.

    ``context`` is the minimum in tokens, 0 for any. ``settings`` are LM Studio's other load settings; a loaded model is
    reloaded for them. Unless ``must_fit``, a failed load with another context is only a warning. With ``tokens``, which
    prompt and answer need, a model with less context is reloaded with more.
    """

    target: ResolvedModel
    keep_alive: float | None = None
    context: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    must_fit: bool = False
    tokens: int = 0

    @property
    def load_settings(self) -> dict[str, Any]:
        """LM Studio's load settings: those of the model's profile, if this version has a place for them, and ours."""
        has_settings = self.target.listing.api_version is ApiVersion.V1
        return {**(self.target.entry.load_settings if has_settings else {}), **self.settings}

    def is_met_by(self, loaded: LoadedModel, model: Model) -> bool:
        """Return whether ``model``, as it is listed, can be used as it is loaded, or loaded in any way."""
        if not model.is_loaded and self.load_settings:
            return False
        least = max(self.context, self.tokens if model.is_loaded else 0)  # LM Studio's default context may be enough
        least = _at_most(model.max_context_length, least)
        return not self.settings and (not least or loaded.has_context(model, least, self.context_of(model)))

    def context_of(self, model: Model) -> int:
        """Return the context to load ``model`` with, at most its maximum; 0 for LM Studio's default."""
        adapted = context_for(self.tokens) if self.tokens else 0
        return _at_most(model.max_context_length, max(self.context, adapted))


def _at_most(maximum: int | None, context: int) -> int:
    return max(0, min(context, maximum or context))


class ModelLoader:
    """Loads models of one backend."""

    def __init__(self, backend: LMStudio, defaults: Defaults) -> None:
        self.backend = backend
        self.tracker = KeepAliveTracker(self._unload_expired)
        self._defaults = defaults
        self._warned: set[str] = set()

    def take_over(self, other: ModelLoader) -> bool:
        """Keep the models alive that ``other`` has loaded on the same LM Studio; return False if it does no longer."""
        if not other.tracker.resume(self._unload_expired):
            return False
        self.tracker = other.tracker
        return True

    def take_turn(self, key: str, call: BackendCall) -> LoadedModel:
        """Wait for a model's turn and return its entry; until that is released, no other thread loads or unloads it."""
        timeout = self.backend.options.load_timeout
        call.allow(timeout, f"the model did not load within {timeout} s")
        loaded = self.tracker.of(key)
        loaded.acquire(call)
        return loaded

    def prepare(
        self, requirements: ModelRequirements, loaded: LoadedModel, call: BackendCall, *, max_age: float | None = 0.0
    ) -> bool:
        """Load or reload a model if its context or settings require that; return whether it is loaded.

        A model that is not loaded and may have any context is left to the request, or to :meth:`load_on_demand`. If a
        list of that ``max_age`` (None: any cached one) shows a model that meets the requirements, nothing else is read;
        before anything is changed, the current state is.
        """
        target, must_fit = requirements.target, requirements.must_fit
        if not (must_fit or target.listing.reports_state):
            return False
        model, is_fit = target.model, False
        for age in (max_age,) if max_age == 0 else (max_age, 0.0):
            model = self.current(model, age)
            is_fit = requirements.is_met_by(loaded, model)
            if is_fit and model.is_loaded:
                return True
        if not model.is_loaded:
            self._warn_if_too_old(target)
        if is_fit or not (must_fit or self.backend.can_manage()):
            return model.is_loaded
        return self._reload(requirements, loaded, call, model)

    def _reload(self, requirements: ModelRequirements, loaded: LoadedModel, call: BackendCall, model: Model) -> bool:
        """Load a model with the required context; return whether it is loaded. If that fails, restore its context."""
        context = requirements.context_of(model)
        try:
            if model.is_loaded:
                loaded.wait_until_idle(call)
                self.backend.unload(model, call=call)
            self._load(requirements, loaded, call, context=context)
        except _REFUSALS as exc:
            if requirements.must_fit:
                raise
            asked = {"context_length": context or "any", **requirements.load_settings}
            shown = " ".join(f"{name}={value}" for name, value in asked.items())
            log.warning("model=%s does not load with %s: %s", model.key, shown, exc.text)
            if previous := model.loaded_context_length:
                with suppress(*_REFUSALS):
                    self._load(requirements, loaded, call, context=previous)
            loaded.granted = (context, None)
            return self.current(model).is_loaded
        # Remember what was granted, so that the same request is no reason to reload.
        granted = self.current(model).loaded_context_length
        loaded.granted = (context, granted)
        if granted is not None and granted < context:
            log.warning("model=%s has a context of %d: LM Studio did not grant %d", model.key, granted, context)
        elif context:
            log.info("loaded model=%s context=%d", model.key, context)
        return True

    def load_on_demand(self, requirements: ModelRequirements, loaded: LoadedModel, call: BackendCall) -> None:
        """Load a model with any context, in the way that this version of the backend supports."""
        target = requirements.target
        if self.backend.listing().api_version is ApiVersion.V1:  # read again: LM Studio may have been updated since
            with suppress(NoSuchEndpoint):
                self._load(requirements, loaded, call)
                return
        try:
            self.backend.load_just_in_time(target.model, call, ttl=to_ttl(requirements.keep_alive, self._defaults))
        except NoModelLoaded as exc:  # just-in-time loading is switched off
            if not self.backend.can_manage():
                reason = f"this version cannot load one over HTTP: that needs {CAN_MANAGE}"
                raise NotSupported(f"{exc.text} ({reason})") from exc
            self._load(requirements, loaded, call)
        else:
            self.note_jit_load(requirements, loaded)

    def note_jit_load(self, requirements: ModelRequirements, loaded: LoadedModel) -> None:
        """Record that a request made LM Studio load the model just in time."""
        loaded.note_load(to_ttl(requirements.keep_alive, self._defaults) or JIT_TTL_SECONDS)
        self.backend.catalogue.expire()

    def current(self, model: Model, max_age: float | None = 0.0) -> Model:
        """Return a model as it is listed now, or in a list no older than ``max_age``."""
        models = self.backend.listing(max_age=max_age).models
        return next((listed for listed in models if listed.key == model.key), model)

    def is_loaded(self, model: Model) -> bool:
        """Return whether a model may be loaded now: certain unless the backend does not report it."""
        return self.current(model).is_loaded or not self.backend.listing().reports_state

    def unload(self, model: Model, call: BackendCall, *, instance: str = "") -> tuple[str, ...]:
        """Unload a model, or one ``instance``, and return what was unloaded; a model in use is unloaded afterwards."""
        if not self.backend.can_manage():
            if self.is_loaded(model):
                raise NotSupported(f"this LM Studio cannot unload a model over HTTP: that needs {CAN_MANAGE}")
            return ()
        if self.tracker.of(model.key).unload_when_idle():
            return ()
        with self.take_turn(model.key, call) as loaded:
            # A request that held the turn has loaded the model in order to use it.
            if loaded.unload_when_idle() or not self.is_loaded(model):
                return ()
            with loaded.unloading():
                return self.backend.unload(instance or self.current(model), call=call)

    def _unload_expired(self, key: str, is_closed: Callable[[], bool]) -> None:
        try:
            models = [model for model in self.backend.listing(max_age=0).models if model.key == key]
            if models and self.backend.can_manage():
                self.backend.unload(models[0], call=BackendCall(is_closed, total_timeout=UNLOAD_SECONDS))
                log.info("unloaded model=%s", key)
        except ShimError as exc:
            log.warning("unload failed model=%s: %s", key, exc.text)

    def _warn_if_too_old(self, target: ResolvedModel) -> None:
        """Warn once for each model that this version loads without the settings of its profile."""
        entry, key = target.entry, target.model.key
        wanted = entry.load_settings
        if entry.profile.context is not None and not self.backend.can_manage():
            wanted["context"] = entry.profile.context
        if wanted and key not in self._warned and target.listing.api_version is not ApiVersion.V1:
            self._warned.add(key)
            text = "model=%s loads as LM Studio is set: its profile's %s can only be set with LM Studio 0.4 or later"
            log.warning(text, key, ", ".join(wanted))

    def _load(
        self, requirements: ModelRequirements, loaded: LoadedModel, call: BackendCall, *, context: int = 0
    ) -> None:
        key = requirements.target.model.key
        current().begin_load()
        settings = requirements.load_settings
        answer = self.backend.load(key, context_length=context or None, call=call, **settings)
        _warn_of_other_settings(requirements.target.entry, settings, answer)
        loaded.note_load(None)
        if requirements.keep_alive is None and loaded.keep_alive is None:
            # LM Studio 0.4 never unloads a model that was loaded explicitly.
            loaded.keep_alive = self._defaults.ttl_seconds or JIT_TTL_SECONDS


def _warn_of_other_settings(entry: Entry, wanted: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    """Warn if LM Studio has loaded a model otherwise than its profile says."""
    if entry.profile.parallel is not None:
        wanted = {**wanted, "parallel": entry.profile.parallel}
    config = answer.get("load_config") or {}
    for name, value in wanted.items() if config else ():
        if config.get(name) != value:
            text = (
                "model=%s is loaded with %s=%s instead of %s: this LM Studio cannot set it; set it in LM Studio itself"
            )
            log.warning(text, entry.model.key, name, config.get(name, "unknown"), value)
