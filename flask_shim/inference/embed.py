"""Request embeddings from the backend."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from flask_shim.errors import BadRequest
from flask_shim.lmstudio import Kind
from flask_shim.lmstudio.errors import BackendRequestError
from flask_shim.models.loader import ModelRequirements
from flask_shim.models.model_use import ModelUse
from flask_shim.models.registry import ResolvedModel
from flask_shim.services import services
from flask_shim.translate.ollama.payloads import Payload
from flask_shim.translate.ollama.vectors import Vector, check_lengths, to_vectors, token_count

LENGTHS_SECONDS = 1.0
"""How old the list may be that gives the context by which the length of a text is checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingResult:
    """LM Studio's ``answer``, and its ``vectors`` in the order of the texts. Durations are in nanoseconds."""

    answer: dict[str, Any] = field(repr=False)
    vectors: list[Vector] = field(repr=False)
    load_ns: int
    total_ns: int

    @property
    def tokens(self) -> int:
        """The number of tokens of all texts; 0 if the backend does not count them."""
        return token_count(self.answer)


def request_embeddings(
    requirements: ModelRequirements, payload: Mapping[str, Any], *, truncate: bool = True, num_ctx: int | None = None
) -> EmbeddingResult:
    """Request the vectors of ``payload["input"]``, which needs no model name, and wait for all of them.

    Without ``truncate``, texts that certainly exceed the model's context or ``num_ctx`` raise BadRequest once the model
    is loaded. The backend sends nothing between a load and its answer, so all of that time counts as loading.
    """
    started_ns = time.perf_counter_ns()
    target = requirements.target
    if target.model.kind is Kind.DECISION:
        raise BadRequest(f'"{target.name}" does not support embeddings')
    if is_listed_as_llm(target):
        requirements = dataclasses.replace(requirements, context=0)  # LM Studio will reject it: not worth a reload
    inputs = payload["input"] if isinstance(payload["input"], list) else [payload["input"]]
    with closing(services().manager.use(requirements)) as use:
        if not truncate:
            model = use.current_model(LENGTHS_SECONDS)
            lengths = (num_ctx, model.loaded_context_length or model.max_context_length)
            check_lengths(inputs, min((length for length in lengths if length is not None), default=None))
        ready_ns = time.perf_counter_ns()
        answer = use.send(lambda named: _embed(use, named), payload)
    ended_ns = time.perf_counter_ns()
    return EmbeddingResult(
        answer=answer,
        vectors=to_vectors(answer, len(inputs)),
        load_ns=(ended_ns if use.is_cold else ready_ns) - started_ns,
        total_ns=ended_ns - started_ns,
    )


def is_listed_as_llm(target: ResolvedModel) -> bool:
    """Return whether the backend lists the model as one without embeddings; LM Studio before 0.3.6 lists no kind."""
    return target.listing.reports_state and target.model.kind is not Kind.EMBEDDING


def _embed(use: ModelUse, payload: Payload) -> dict[str, Any]:
    try:
        return use.client.embed(payload, use.call)
    except BackendRequestError as exc:
        if not is_listed_as_llm(use.target):
            raise
        raise BackendRequestError(f'"{use.target.name}" does not support embeddings', status=exc.status) from exc
