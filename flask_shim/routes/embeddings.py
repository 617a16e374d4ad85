"""Embeddings: Ollama's two routes, and OpenAI's with what LM Studio leaves out of it."""

from __future__ import annotations

import orjson
from flask import Blueprint, Response, request

from flask_shim.directory import Target
from flask_shim.errors import BackendRefused, BadRequest, ShimError
from flask_shim.faces import json_response
from flask_shim.lmstudio.client import EMBEDDINGS
from flask_shim.relays import Request, relayed
from flask_shim.routes import naming
from flask_shim.routes.generation import load_only, need_of_ask, unload_only, with_checked_options
from flask_shim.schemas import load_embed, load_embeddings
from flask_shim.schemas.openai import load_openai_embeddings
from flask_shim.services import services
from flask_shim.stays import need_of
from flask_shim.streams import client_gone
from flask_shim.translate.asks import EmbedAsk, EmbeddingsAsk, OpenAIEmbedAsk
from flask_shim.translate.embeddings import embed_payload, normalised, shortened, to_embed, to_openai
from flask_shim.translate.inheriting import context_of, with_options_of
from flask_shim.translate.requests import to_ttl
from flask_shim.vectors import Embedded, embedded, is_told_to_be_llm

bp = Blueprint("embeddings", __name__)


@bp.post("/api/embed")
def embed() -> Response:
    """Give the vector of every text, each of length one."""
    ask = load_embed(request.get_data(cache=False))
    naming.checked(ask.model, naming.EMBED)
    if ask.input_complaint:
        raise BadRequest(ask.input_complaint)
    target = naming.resolve(ask.model, naming.EMBED)
    ask = with_checked_options(with_options_of(target.entry, ask))
    if not ask.inputs:
        _load_or_unload(target, ask)
        return json_response({"model": ask.model, "embeddings": []})
    done = _embedded(target, ask, ask.inputs, truncate=ask.truncate)
    vectors = [normalised(shortened(vector, ask.dimensions)) for vector in done.vectors]
    return json_response(to_embed(ask.model, vectors, total_ns=done.total_ns, load_ns=done.load_ns, tokens=done.tokens))


@bp.post("/api/embeddings")
def embeddings() -> Response:
    """Give the vector of one text as the model makes it; the route of old clients."""
    ask = load_embeddings(request.get_data(cache=False))
    target = naming.resolve(ask.model, naming.EMBEDDINGS)
    ask = with_checked_options(with_options_of(target.entry, ask))
    if not ask.prompt:
        _load_or_unload(target, ask)
        return json_response({"embedding": []})
    try:
        done = _embedded(target, ask, (ask.prompt,))
    except BackendRefused as exc:
        raise ShimError(exc.text, status=500) from exc  # as Ollama's, whatever the engine's own status was
    return json_response({"embedding": done.vectors[0]})


@bp.post("/v1/embeddings")
def openai_embeddings() -> Response:
    """Pass the answer through; LM Studio ignores base64 and dimensions, so those are done here."""
    ask = load_openai_embeddings(request.get_data(cache=False))
    naming.checked(ask.model, naming.EMBED)
    if ask.input_complaint:
        raise BadRequest(ask.input_complaint)
    target = naming.resolve(ask.model, naming.EMBED)
    payload = {**ask.rest, "model": target.identifier}
    need, gone = need_of(services(), target, context=context_of(target.entry)), client_gone(request.environ)
    if _can_pass_through(ask, target):
        body = orjson.dumps(payload)
        return relayed(services(), Request(method="POST", path=EMBEDDINGS, body=body, need=need), gone)
    done = embedded(services(), need, payload, gone)
    return json_response(to_openai(done.answer, done.vectors, dimensions=ask.dimensions, as_base64=ask.as_base64))


def _can_pass_through(ask: OpenAIEmbedAsk, target: Target) -> bool:
    return not ask.as_base64 and ask.dimensions <= 0 and not is_told_to_be_llm(target)


def _embedded(
    target: Target, ask: EmbedAsk | EmbeddingsAsk, texts: tuple[str, ...], *, truncate: bool = True
) -> Embedded:
    payload = embed_payload(target.identifier, texts, to_ttl(ask.keep_alive, services().defaults))
    return embedded(services(), need_of_ask(target, ask), payload, client_gone(request.environ), truncate=truncate)


def _load_or_unload(target: Target, ask: EmbedAsk | EmbeddingsAsk) -> None:
    if ask.keep_alive == 0:
        unload_only(target)  # loading it first, as Ollama does, would only cost time
    else:
        load_only(target, ask)
