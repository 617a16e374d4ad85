"""Vectors of texts: one request at the backend, with a slot, a watchdog and a loaded model around it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from flask_shim.errors import BackendRequestError, ModelLoadError, NoModelLoaded
from flask_shim.inference.model_use import ModelRequirements, load_after, use_model
from flask_shim.lmstudio import BackendCall, Kind
from flask_shim.models.registry import ResolvedModel
from flask_shim.services import Services
from flask_shim.translate.ollama.payloads import Payload
from flask_shim.translate.ollama.vectors import Vector, check_lengths, to_vectors, token_count

LENGTHS_SECONDS = 1.0
"""How old a list may be that says how much the model takes, where a text is to be refused for its length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingResult:
    """What came back. ``answer`` is LM Studio's, ``vectors`` are in the order of the texts; durations in ns."""

    answer: dict[str, Any] = field(repr=False)
    vectors: list[Vector] = field(repr=False)
    load_ns: int
    total_ns: int

    @property
    def tokens(self) -> int:
        """How many tokens the texts had, 0 where the backend does not count."""
        return token_count(self.answer)


def request_embeddings(
    services: Services,
    requirements: ModelRequirements,
    payload: Payload,
    is_disconnected: Callable[[], bool],
    *,
    truncate: bool = True,
) -> EmbeddingResult:
    """Ask for the vectors of ``payload["input"]`` and wait for all of them.

    With ``truncate`` off, texts that certainly are too long are refused (BadRequest) once the model is there. A model
    that has yet to be loaded takes part in the same silence, so the whole of it counts as loading then.
    """
    started_ns = time.perf_counter_ns()
    if is_listed_as_llm(requirements.target):
        requirements = dataclasses.replace(requirements, context=0)  # not worth a reload: LM Studio will refuse
    call = services.call(is_disconnected)
    inputs = payload["input"] if isinstance(payload["input"], list) else [payload["input"]]
    with ExitStack() as stack:
        stack.callback(services.slots.take().release)
        stack.enter_context(services.backend.watchdog.watch(call))
        with use_model(services, requirements, call, stack) as is_cold:
            if not truncate:
                check_lengths(inputs, _context_length(services, requirements.target))
            ready_ns = time.perf_counter_ns()
            answer = _ask(services, requirements, payload, call)
    ended_ns = time.perf_counter_ns()
    return EmbeddingResult(
        answer=answer,
        vectors=to_vectors(answer, len(inputs)),
        load_ns=(ended_ns if is_cold else ready_ns) - started_ns,
        total_ns=ended_ns - started_ns,
    )


def is_listed_as_llm(target: ResolvedModel) -> bool:
    """Tell whether the backend says of the model that it is none for embeddings; the oldest say nothing."""
    return target.listing.generation.reports_state and target.model.kind is Kind.LLM


def _context_length(services: Services, target: ResolvedModel) -> int | None:
    models = services.backend.listing(max_age=LENGTHS_SECONDS).models
    model = next((one for one in models if one.key == target.model.key), target.model)
    return model.loaded_context_length or model.max_context_length


def _ask(services: Services, requirements: ModelRequirements, payload: Payload, call: BackendCall) -> dict[str, Any]:
    """Ask; cure what a second attempt can cure, once."""
    try:
        return services.backend.embed(payload, call)
    except BackendRequestError as exc:
        if is_listed_as_llm(requirements.target):
            text = f'"{requirements.target.name}" does not support embeddings'
            raise BackendRequestError(text, status=exc.status) from exc
        if not isinstance(exc, NoModelLoaded):
            raise
        load_after(exc, services, requirements, call)
    except ModelLoadError as exc:
        if "unloaded" not in exc.text:  # evicted before it came to our texts
            raise
    return services.backend.embed(payload, call)
