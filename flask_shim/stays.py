"""A model's stay in memory: loaded before it is used, by one request at a time, with the context that was asked for."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from flask_shim.directory import Target
from flask_shim.errors import BackendRefused, ModelFailed, NoModelLoaded, NoSuchEndpoint, NotSupported
from flask_shim.lmstudio import Call, Model
from flask_shim.lmstudio.generations import Generation
from flask_shim.lmstudio.lifecycle import Resident, give_turn, goes_with_its_users, leaving, take_turn, wait_until_idle
from flask_shim.lmstudio.readiness import ask_for_little
from flask_shim.services import Services
from flask_shim.translate.requests import to_ttl

log = logging.getLogger(__name__)

_NEEDS = "that needs LM Studio 0.4 or later, or its lms tool on this machine"
_NO_WAY_TO_LOAD = f"this version cannot be told to load one over HTTP: {_NEEDS}"

JIT_TTL_SECONDS = 3600.0
"""How long LM Studio keeps a model that it loaded just in time, unless the request said otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a request needs of its model. ``context`` is in tokens, 0 for whatever the backend gives."""

    target: Target
    keep_alive: float | None = None
    context: int = 0


def need_of(services: Services, target: Target, *, keep_alive: float | None = None, context: int = 0) -> Need:
    """Return what a client's request needs of its model.

    Where clients may not change models, the model is used as it is: neither loaded anew nor sent away.
    """
    if services.config.read_only:
        return Need(target=target)
    return Need(target=target, keep_alive=keep_alive, context=max(0, context))


@contextmanager
def stay(services: Services, need: Need, call: Call, owned: ExitStack) -> Iterator[bool]:
    """Use the model from here until ``owned`` is closed; yield whether the backend has yet to load it.

    If it has, the block runs alone: simultaneous first requests would make LM Studio load a copy each.
    """
    if not need.target.listing.generation.tells_state:
        yield False
        return
    resident = services.residents.of(need.target.model.key)
    with ExitStack() as turn:
        _queue(services, resident, call, turn)
        model = _fit(services, need, resident, call)
        services.residents.enter(resident, need.keep_alive)
        owned.callback(services.residents.leave, resident)
        if model.is_loaded:
            turn.close()
            yield False
            return
        resident.is_ours = False  # whatever was loaded before has gone
        yield True
        # Told to load it, LM Studio keeps it until it is told to go; where we may not tell, it goes by its own clock.
        if not resident.is_ours and not services.config.read_only:
            resident.loaded(to_ttl(need.keep_alive, services.defaults) or JIT_TTL_SECONDS)
        services.backend.catalogue.expire()


def load(services: Services, need: Need, call: Call) -> None:
    """Load the model and start its keep-alive, without asking it anything."""
    with ExitStack() as owned, stay(services, need, call, owned) as is_cold:
        if is_cold or not need.target.listing.generation.tells_state:
            load_now(services, need, call)


def load_as(services: Services, need: Need, call: Call, settings: Mapping[str, Any]) -> None:
    """Load the model outright, with the context that is needed and LM Studio's other load ``settings``, or raise.

    What is loaded already will do if it has the context and nothing else is set; otherwise it makes room.
    """
    if not need.context and not settings:
        load(services, need, call)
        return
    resident = services.residents.of(need.target.model.key)
    with ExitStack() as turn:
        _queue(services, resident, call, turn)
        model = _now(services, need)
        wanted = min(need.context, model.max_context_length or need.context)
        if settings or not model.is_loaded or (model.loaded_context_length or 0) < wanted:
            if model.is_loaded:
                wait_until_idle(resident, call)
                services.backend.unload(model, call=call)
            _load(services, need, resident, call, context=wanted or None, settings=settings)
        services.residents.enter(resident, need.keep_alive)
        services.residents.leave(resident)


def lasting(services: Services, target: Target, context: int = 0) -> Need:
    """Return the need of whoever loads a model outright: it stays for the default time if one is set, else for good."""
    return Need(target=target, keep_alive=None if services.defaults.ttl_seconds else math.inf, context=context)


def load_now(services: Services, need: Need, call: Call) -> None:
    """Make the backend load the model, by the way its generation has for that."""
    model, generation = need.target.model, need.target.listing.generation
    resident = services.residents.of(model.key)
    if generation is Generation.V1:
        with suppress(NoSuchEndpoint):  # an older version has come back since the list was read
            _load(services, need, resident, call, context=None)
            return
    try:
        ask_for_little(services.backend, model, call, ttl=to_ttl(need.keep_alive, services.defaults))
    except NoModelLoaded as exc:  # it does not load on demand either
        if not services.backend.can_manage():
            raise NotSupported(f"{exc.text} ({_NO_WAY_TO_LOAD})") from exc
        _load(services, need, resident, call, context=None)


def load_after(failure: NoModelLoaded, services: Services, need: Need, call: Call) -> None:
    """Load the model for a request that failed for want of it; where clients may not load models, raise that."""
    if services.config.read_only:
        raise failure
    load_now(services, need, call)


def unload(services: Services, model: Model, call: Call) -> None:
    """Unload a model that is loaded, or may be: at once if nobody uses it, else when the last answer is complete."""
    if not services.backend.can_manage():
        if _loaded_now(services, model) is not None:
            raise NotSupported(f"this LM Studio cannot unload a model over HTTP: {_NEEDS}")
        return
    resident = services.residents.of(model.key)
    if goes_with_its_users(resident):
        return
    with ExitStack() as turn:
        _queue(services, resident, call, turn)  # who loads it just now is about to use it
        if not goes_with_its_users(resident) and (loaded := _loaded_now(services, model)) is not None:
            with leaving(resident):
                services.backend.unload(loaded, call=call)


def _loaded_now(services: Services, model: Model) -> Model | None:
    """Return the model as it is listed now; None if it certainly is not loaded."""
    listing = services.backend.listing(max_age=0)
    current = next((one for one in listing.models if one.key == model.key), model)
    return current if current.is_loaded or not listing.generation.tells_state else None


def _queue(services: Services, resident: Resident, call: Call, turn: ExitStack) -> None:
    timeout = services.backend.link.load_timeout
    call.allow(timeout, f"the model did not load within {timeout} s")
    take_turn(resident, call)
    turn.callback(give_turn, resident)


def _fit(services: Services, need: Need, resident: Resident, call: Call) -> Model:
    """Return the model as it is now, loaded anew if it was with less context than is needed."""
    model = _now(services, need)
    wanted = min(need.context, model.max_context_length or need.context)
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
        _load(services, need, resident, call, context=wanted)
    except (ModelFailed, BackendRefused, NotSupported) as exc:
        log.warning("model=%s does not load with a context of %d: %s", model.key, wanted, exc.text)
    return _now(services, need)


def _load(
    services: Services,
    need: Need,
    resident: Resident,
    call: Call,
    *,
    context: int | None,
    settings: Mapping[str, Any] | None = None,
) -> None:
    services.backend.load(need.target.model.key, context_length=context, call=call, **(settings or {}))
    resident.loaded(None)
    if need.keep_alive is None and resident.keep_alive is None:
        # LM Studio never unloads what it was told to load, so without this it would stay for ever.
        resident.keep_alive = services.defaults.ttl_seconds or JIT_TTL_SECONDS


def _now(services: Services, need: Need) -> Model:
    key = need.target.model.key
    return next((model for model in services.backend.models() if model.key == key), need.target.model)


def seconds_left(resident: Resident, now: float) -> float:
    """Return how long the model has to go; infinity when nobody has set an end to its stay."""
    leaves_at = resident.leaves_at
    if leaves_at is None:
        return math.inf
    if math.isinf(leaves_at):  # in use, or kept for ever
        lengths = [length for length in (resident.keep_alive, resident.ttl) if length is not None]
        return min(lengths, default=math.inf)
    return max(0.0, leaves_at - now)
