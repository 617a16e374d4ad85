"""Vectors of texts: one request at the backend, with a slot, a watchdog and a loaded model around it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from flask_shim.directory import Target
from flask_shim.errors import BackendRefused, ModelFailed, NoModelLoaded
from flask_shim.lmstudio import Call, Kind
from flask_shim.services import Services
from flask_shim.stays import Need, load_after, stay
from flask_shim.translate.embeddings import Vector, check_lengths, to_vectors, token_count
from flask_shim.translate.requests import Payload

LENGTHS_SECONDS = 1.0
"""How old a list may be that says how much the model takes, where a text is to be refused for its length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """What came back. ``answer`` is LM Studio's, ``vectors`` are in the order of the texts; durations in ns."""

    answer: dict[str, Any] = field(repr=False)
    vectors: list[Vector] = field(repr=False)
    load_ns: int
    total_ns: int

    @property
    def tokens(self) -> int:
        """How many tokens the texts had, 0 where the backend does not count."""
        return token_count(self.answer)


def embedded(
    services: Services, need: Need, payload: Payload, gone: Callable[[], bool], *, truncate: bool = True
) -> Embedded:
    """Ask for the vectors of ``payload["input"]`` and wait for all of them.

    With ``truncate`` off, texts that certainly are too long are refused (BadRequest) once the model is there. A model
    that has yet to be loaded takes part in the same silence, so the whole of it counts as loading then.
    """
    started_ns = time.perf_counter_ns()
    if is_told_to_be_llm(need.target):
        need = dataclasses.replace(need, context=0)  # not worth a reload: LM Studio will refuse
    call = services.call(gone)
    inputs = payload["input"] if isinstance(payload["input"], list) else [payload["input"]]
    with ExitStack() as held:
        held.callback(services.slots.take().release)
        held.enter_context(services.backend.watchdog.watch(call))
        with stay(services, need, call, held) as is_cold:
            if not truncate:
                check_lengths(inputs, _context_length(services, need.target))
            ready_ns = time.perf_counter_ns()
            answer = _ask(services, need, payload, call)
    ended_ns = time.perf_counter_ns()
    return Embedded(
        answer=answer,
        vectors=to_vectors(answer, len(inputs)),
        load_ns=(ended_ns if is_cold else ready_ns) - started_ns,
        total_ns=ended_ns - started_ns,
    )


def is_told_to_be_llm(target: Target) -> bool:
    """Tell whether the backend says of the model that it is none for embeddings; the oldest say nothing."""
    return target.listing.generation.tells_state and target.model.kind is Kind.LLM


def _context_length(services: Services, target: Target) -> int | None:
    models = services.backend.listing(max_age=LENGTHS_SECONDS).models
    model = next((one for one in models if one.key == target.model.key), target.model)
    return model.loaded_context_length or model.max_context_length


def _ask(services: Services, need: Need, payload: Payload, call: Call) -> dict[str, Any]:
    """Ask; cure what a second attempt can cure, once."""
    try:
        return services.backend.embed(payload, call)
    except BackendRefused as exc:
        if is_told_to_be_llm(need.target):
            text = f'"{need.target.name}" does not support embeddings'
            raise BackendRefused(text, status=exc.status) from exc
        if not isinstance(exc, NoModelLoaded):
            raise
        load_after(exc, services, need, call)
    except ModelFailed as exc:
        if "unloaded" not in exc.text:  # evicted before it came to our texts
            raise
    return services.backend.embed(payload, call)
