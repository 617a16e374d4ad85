"""Embeddings: Ollama's two routes, and OpenAI's with the fields that LM Studio ignores."""

from __future__ import annotations

from flask import Blueprint, Response, request

from flask_shim.error_responses import json_response
from flask_shim.errors import BadRequest, ShimError
from flask_shim.inference.embed import EmbeddingResult, is_listed_as_llm, request_embeddings
from flask_shim.inference.forwarding import ForwardRequest, forward
from flask_shim.lmstudio.client import EMBEDDINGS
from flask_shim.lmstudio.errors import BackendRequestError
from flask_shim.models.registry import ResolvedModel
from flask_shim.observability.request_context import current
from flask_shim.routes.model_requests import (
    LEAST_CONTEXT,
    adjust_payload,
    load,
    requirements_of_request,
    unload,
    with_checked_options,
    with_defaults_and_rules,
)
from flask_shim.routes.naming import EMBED_NAMING, EMBEDDINGS_NAMING
from flask_shim.schemas.ollama_requests import load_embed, load_embeddings
from flask_shim.schemas.v1_requests import load_openai_embeddings
from flask_shim.services import services
from flask_shim.translate.ollama.payloads import to_ttl
from flask_shim.translate.ollama.requests import EmbeddingsRequest, EmbedRequest
from flask_shim.translate.ollama.vectors import check_num_ctx, embed_payload, normalize, shorten, to_embed, to_openai

bp = Blueprint("embeddings", __name__)


@bp.post("/api/embed")
def embed() -> Response:
    """Return the vector of every text, normalized."""
    api_request = load_embed(request.get_data(cache=False))
    EMBED_NAMING.check(api_request.model)
    if api_request.input_complaint:
        raise BadRequest(api_request.input_complaint)
    target = EMBED_NAMING.resolve(api_request.model)
    api_request = with_checked_options(with_defaults_and_rules(api_request, target))
    if not api_request.inputs:
        _load_or_unload(target, api_request)
        return json_response({"model": api_request.model, "embeddings": []})
    num_ctx = api_request.options.get("num_ctx")
    check_num_ctx(num_ctx)
    done = _embed_texts(target, api_request, api_request.inputs, truncate=api_request.truncate, num_ctx=num_ctx)
    vectors = [normalize(shorten(vector, api_request.dimensions)) for vector in done.vectors]
    return json_response(
        to_embed(api_request.model, vectors, total_ns=done.total_ns, load_ns=done.load_ns, tokens=done.tokens)
    )


@bp.post("/api/embeddings")
def embeddings() -> Response:
    """Return the vector of one text, not normalized; the route of old clients."""
    api_request = load_embeddings(request.get_data(cache=False))
    target = EMBEDDINGS_NAMING.resolve(api_request.model)
    api_request = with_checked_options(with_defaults_and_rules(api_request, target))
    if not api_request.prompt:
        _load_or_unload(target, api_request)
        return json_response({"embedding": []})
    try:
        num_ctx = api_request.options.get("num_ctx")
        loaded = None if num_ctx is None else max(num_ctx, LEAST_CONTEXT)
        done = _embed_texts(target, api_request, (api_request.prompt,), truncate=False, num_ctx=loaded)
    except (BackendRequestError, BadRequest) as exc:
        raise ShimError(exc.text, status=500) from exc  # as in Ollama, whatever the engine's own status was
    return json_response({"embedding": done.vectors[0]})


@bp.post("/v1/embeddings")
def openai_embeddings() -> Response:
    """Return the vectors of LM Studio; base64 and dimensions, which it ignores, are applied here."""
    api_request = load_openai_embeddings(request.get_data(cache=False))
    current().options = tuple(api_request.rest)
    EMBED_NAMING.check(api_request.model)
    if api_request.input_complaint:
        raise BadRequest(api_request.input_complaint)
    target = EMBED_NAMING.resolve(api_request.model)
    payload, requirements = adjust_payload(EMBEDDINGS, dict(api_request.rest), target)
    if not api_request.as_base64 and api_request.dimensions <= 0 and not is_listed_as_llm(target):
        forwarded = ForwardRequest(path=EMBEDDINGS, payload=payload, requirements=requirements)
        return forward(forwarded)
    done = request_embeddings(requirements, payload)
    return json_response(
        to_openai(done.answer, done.vectors, dimensions=api_request.dimensions, as_base64=api_request.as_base64)
    )


def _embed_texts(
    target: ResolvedModel,
    api_request: EmbedRequest | EmbeddingsRequest,
    texts: tuple[str, ...],
    *,
    truncate: bool,
    num_ctx: int | None,
) -> EmbeddingResult:
    payload = embed_payload(target.identifier, texts, to_ttl(api_request.keep_alive, services().defaults))
    requirements = requirements_of_request(target, api_request)
    return request_embeddings(requirements, payload, truncate=truncate, num_ctx=num_ctx)


def _load_or_unload(target: ResolvedModel, api_request: EmbedRequest | EmbeddingsRequest) -> None:
    if api_request.keep_alive == 0:
        unload(target)  # Ollama loads it first, which only costs time
    else:
        load(requirements_of_request(target, api_request))
