"""A model's stay in memory: loaded before it is used, by one request at a time, with the context that was asked for."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from flask_shim.errors import BackendRequestError, ModelLoadError, NoModelLoaded, NoSuchEndpoint, NotSupported
from flask_shim.lmstudio import BackendCall, Model
from flask_shim.lmstudio.api_versions import ApiVersion
from flask_shim.lmstudio.readiness import trigger_jit_load
from flask_shim.models.keep_alive import (
    LoadedModel,
    acquire,
    release,
    unload_when_idle,
    unloading,
    wait_until_idle,
)
from flask_shim.models.registry import ResolvedModel
from flask_shim.services import Services
from flask_shim.translate.ollama.payloads import to_ttl

log = logging.getLogger(__name__)

_NEEDS = "that needs LM Studio 0.4 or later, or its lms tool on this machine"
_NO_WAY_TO_LOAD = f"this version cannot be told to load one over HTTP: {_NEEDS}"

JIT_TTL_SECONDS = 3600.0
"""How long LM Studio keeps a model that it loaded just in time, unless the request said otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequirements:
    """What a request needs of its model. ``context`` is in tokens, 0 for whatever the backend gives."""

    target: ResolvedModel
    keep_alive: float | None = None
    context: int = 0


def requirements_for(
    services: Services, target: ResolvedModel, *, keep_alive: float | None = None, context: int = 0
) -> ModelRequirements:
    """Return what a client's request needs of its model.

    Where clients may not change models, the model is used as it is: neither loaded anew nor sent away.
    """
    if services.config.read_only:
        return ModelRequirements(target=target)
    return ModelRequirements(target=target, keep_alive=keep_alive, context=max(0, context))


@contextmanager
def use_model(
    services: Services, requirements: ModelRequirements, call: BackendCall, stack: ExitStack
) -> Iterator[bool]:
    """Use the model from here until ``owned`` is closed; yield whether the backend has yet to load it.

    If it has, the block runs alone: simultaneous first requests would make LM Studio load a copy each.
    """
    if not requirements.target.listing.generation.reports_state:
        yield False
        return
    resident = services.residents.of(requirements.target.model.key)
    with ExitStack() as turn:
        _queue(services, resident, call, turn)
        model = _fit(services, requirements, resident, call)
        services.residents.enter(resident, requirements.keep_alive)
        stack.callback(services.residents.leave, resident)
        if model.is_loaded:
            turn.close()
            yield False
            return
        resident.is_ours = False  # whatever was loaded before has gone
        yield True
        # Told to load it, LM Studio keeps it until it is told to go; where we may not tell, it goes by its own clock.
        if not resident.is_ours and not services.config.read_only:
            resident.loaded(to_ttl(requirements.keep_alive, services.defaults) or JIT_TTL_SECONDS)
        services.backend.catalogue.expire()


def load_model(services: Services, requirements: ModelRequirements, call: BackendCall) -> None:
    """Load the model and start its keep-alive, without asking it anything."""
    with ExitStack() as stack, use_model(services, requirements, call, stack) as is_cold:
        if is_cold or not requirements.target.listing.generation.reports_state:
            load_now(services, requirements, call)


def load_with_settings(
    services: Services, requirements: ModelRequirements, call: BackendCall, settings: Mapping[str, Any]
) -> None:
    """Load the model outright, with the context that is needed and LM Studio's other load ``settings``, or raise.

    What is loaded already will do if it has the context and nothing else is set; otherwise it makes room.
    """
    if not requirements.context and not settings:
        load_model(services, requirements, call)
        return
    resident = services.residents.of(requirements.target.model.key)
    with ExitStack() as turn:
        _queue(services, resident, call, turn)
        model = _now(services, requirements)
        wanted = min(requirements.context, model.max_context_length or requirements.context)
        if settings or not model.is_loaded or (model.loaded_context_length or 0) < wanted:
            if model.is_loaded:
                wait_until_idle(resident, call)
                services.backend.unload(model, call=call)
            _load(services, requirements, resident, call, context=wanted or None, settings=settings)
        services.residents.enter(resident, requirements.keep_alive)
        services.residents.leave(resident)


def pinned(services: Services, target: ResolvedModel, context: int = 0) -> ModelRequirements:
    """Return the need of whoever loads a model outright: it stays for the default time if one is set, else for good."""
    return ModelRequirements(
        target=target, keep_alive=None if services.defaults.ttl_seconds else math.inf, context=context
    )


def load_now(services: Services, requirements: ModelRequirements, call: BackendCall) -> None:
    """Make the backend load the model, by the way its generation has for that."""
    model, generation = requirements.target.model, requirements.target.listing.generation
    resident = services.residents.of(model.key)
    if generation is ApiVersion.V1:
        with suppress(NoSuchEndpoint):  # an older version has come back since the list was read
            _load(services, requirements, resident, call, context=None)
            return
    try:
        trigger_jit_load(services.backend, model, call, ttl=to_ttl(requirements.keep_alive, services.defaults))
    except NoModelLoaded as exc:  # it does not load on demand either
        if not services.backend.can_manage():
            raise NotSupported(f"{exc.text} ({_NO_WAY_TO_LOAD})") from exc
        _load(services, requirements, resident, call, context=None)


def load_after(failure: NoModelLoaded, services: Services, requirements: ModelRequirements, call: BackendCall) -> None:
    """Load the model for a request that failed for want of it; where clients may not load models, raise that."""
    if services.config.read_only:
        raise failure
    load_now(services, requirements, call)


def unload_model(services: Services, model: Model, call: BackendCall) -> None:
    """Unload a model that is loaded, or may be: at once if nobody uses it, else when the last answer is complete."""
    if not services.backend.can_manage():
        if _loaded_now(services, model) is not None:
            raise NotSupported(f"this LM Studio cannot unload a model over HTTP: {_NEEDS}")
        return
    resident = services.residents.of(model.key)
    if unload_when_idle(resident):
        return
    with ExitStack() as turn:
        _queue(services, resident, call, turn)  # who loads it just now is about to use it
        if not unload_when_idle(resident) and (loaded := _loaded_now(services, model)) is not None:
            with unloading(resident):
                services.backend.unload(loaded, call=call)


def _loaded_now(services: Services, model: Model) -> Model | None:
    """Return the model as it is listed now; None if it certainly is not loaded."""
    listing = services.backend.listing(max_age=0)
    current = next((one for one in listing.models if one.key == model.key), model)
    return current if current.is_loaded or not listing.generation.reports_state else None


def _queue(services: Services, resident: LoadedModel, call: BackendCall, turn: ExitStack) -> None:
    timeout = services.backend.options.load_timeout
    call.allow(timeout, f"the model did not load within {timeout} s")
    acquire(resident, call)
    turn.callback(release, resident)


def _fit(services: Services, requirements: ModelRequirements, resident: LoadedModel, call: BackendCall) -> Model:
    """Return the model as it is now, loaded anew if it was with less context than is needed."""
    model = _now(services, requirements)
    wanted = min(requirements.context, model.max_context_length or requirements.context)
    loaded = model.loaded_context_length
    if not wanted or (loaded or 0) >= wanted:
        return model
    if model.is_loaded and loaded is None:
        return model  # it does not say with how much, and a reload costs more than a doubt
    if not services.backend.can_manage():
        return model
    if model.is_loaded:
        wait_until_idle(resident, call)
    try:
        if model.is_loaded:
            services.backend.unload(model, call=call)
        _load(services, requirements, resident, call, context=wanted)
    except (ModelLoadError, BackendRequestError, NotSupported) as exc:
        log.warning("model=%s does not load with a context of %d: %s", model.key, wanted, exc.text)
    return _now(services, requirements)


def _load(
    services: Services,
    requirements: ModelRequirements,
    resident: LoadedModel,
    call: BackendCall,
    *,
    context: int | None,
    settings: Mapping[str, Any] | None = None,
) -> None:
    services.backend.load(requirements.target.model.key, context_length=context, call=call, **(settings or {}))
    resident.loaded(None)
    if requirements.keep_alive is None and resident.keep_alive is None:
        # LM Studio never unloads what it was told to load, so without this it would stay for ever.
        resident.keep_alive = services.defaults.ttl_seconds or JIT_TTL_SECONDS


def _now(services: Services, requirements: ModelRequirements) -> Model:
    key = requirements.target.model.key
    return next((model for model in services.backend.models() if model.key == key), requirements.target.model)


def seconds_left(resident: LoadedModel, now: float) -> float:
    """Return how long the model has to go; infinity when nobody has set an end to its stay."""
    expires_at = resident.expires_at
    if expires_at is None:
        return math.inf
    if math.isinf(expires_at):  # in use, or kept for ever
        lengths = [length for length in (resident.keep_alive, resident.ttl) if length is not None]
        return min(lengths, default=math.inf)
    return max(0.0, expires_at - now)
