"""The routes for inference: chat, completions, embeddings, and three that are forwarded."""

from __future__ import annotations

from importlib.metadata import version

from flask import Blueprint, Response, g, request

from flask_shim.embedded import adapt, relay
from flask_shim.embedded.error_bodies import json_answer
from flask_shim.embedded.loaded_models import MiniLoadedModel
from flask_shim.embedded.mini_services import MiniTarget, mini_services

routes = Blueprint("inference", __name__)

STOP_REASONS = {"stop": "eosFound", "length": "maxPredictedTokensReached", "tool_calls": "toolCalls"}


# With CORS off, a preflight is an ordinary request, which fails as it has no messages.
@routes.route("/v1/chat/completions", methods=["POST", "OPTIONS"])
@routes.post("/api/v0/chat/completions")
def chat() -> Response:
    """Chat with the model that LM Studio's rules choose for the name."""
    services = mini_services()
    payload = adapt.chat_payload(g.body, services.settings.generation)
    target = services.resolve(g.body.get("model"))
    adapt.check_vision(payload, has_vision=target.entry.has_vision)
    return _send_completion(payload, target, "/v1/chat/completions")


@routes.post("/v1/completions")
@routes.post("/api/v0/completions")
def completions() -> Response:
    """Continue a text without a template."""
    payload = adapt.completion_payload(g.body)
    return _send_completion(payload, mini_services().resolve(g.body.get("model")), "/v1/completions")


@routes.post("/v1/embeddings")
@routes.post("/api/v0/embeddings")
def embeddings() -> Response:
    """Embed texts; LM Studio cuts texts that are too long without an error."""
    payload = adapt.embedding_payload(g.body)
    target = mini_services().resolve(g.body.get("model"), wants_embedding=True)
    try:
        answer, _ = relay.ask(target, "/v1/embeddings", payload)
    except relay.EngineError as error:
        if b"too large to process" not in error.raw:
            raise
        answer, _ = relay.ask(target, "/v1/embeddings", {"input": _cut(payload["input"], target)})
    # LM Studio counts no tokens here.
    return json_answer(answer | {"usage": {"prompt_tokens": 0, "total_tokens": 0}})


@routes.post("/v1/responses")
@routes.post("/v1/messages")
@routes.post("/v1/systemone")
def passed_on() -> Response:
    """Forward to the engine's own routes for Responses, Messages and decisions."""
    return relay.relay(mini_services().resolve(g.body.get("model")), request.path, adapt.passed_on(g.body))


def _send_completion(payload: adapt.Body, target: MiniTarget, path: str) -> Response:
    """Stream, or send a whole answer, to which ``/api/v0`` adds its measurements."""
    if payload.get("stream") or not request.path.startswith("/api/v0/"):
        return relay.relay(target, path, payload)
    answer, instance = relay.ask(target, path, payload)
    return json_answer(answer | _measured(answer, instance))


def _measured(answer: adapt.Body, instance: MiniLoadedModel) -> adapt.Body:
    """Return the measurements of ``/api/v0``, in seconds."""
    timings, finish = answer.get("timings", {}), answer["choices"][0].get("finish_reason")
    return {
        "stats": {
            "tokens_per_second": timings.get("predicted_per_second"),
            "time_to_first_token": timings.get("prompt_ms", 0.0) / 1000,
            "generation_time": timings.get("predicted_ms", 0.0) / 1000,
            "stop_reason": STOP_REASONS.get(finish, finish),
        },
        "model_info": {
            "arch": instance.entry.architecture,
            "quant": instance.entry.quantization,
            "format": "gguf",
            "context_length": instance.config.context_length,
        },
        "runtime": {"name": "xllamacpp", "version": version("xllamacpp"), "supported_formats": ["gguf"]},
    }


def _cut(texts: str | list[str], target: MiniTarget) -> list[list[int]]:
    """Return the token ids of each text, cut to the model's context."""
    cut = []
    for text in [texts] if isinstance(texts, str) else texts:
        answer, instance = relay.ask(target, "/tokenize", {"content": text, "add_special": True})
        cut.append(answer["tokens"][: instance.config.context_length])
    return cut
