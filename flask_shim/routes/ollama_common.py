"""What /api/chat, /api/generate and the embedding routes have in common: checks, loads and unloads."""

from __future__ import annotations

import dataclasses
import time
from typing import TypeVar

from flask import Response, request

from flask_shim.error_responses import json_response
from flask_shim.errors import ShimError
from flask_shim.inference.completion import Completion
from flask_shim.inference.respond import new_call_id
from flask_shim.inference.streaming import disconnect_check
from flask_shim.models.loader import ModelRequirements
from flask_shim.models.registry import ResolvedModel
from flask_shim.observability.request_context import current
from flask_shim.services import services
from flask_shim.translate.answer.answer_reader import ReaderOptions
from flask_shim.translate.answer.tool_schemas import Schemas
from flask_shim.translate.ollama.capabilities import has_thinking
from flask_shim.translate.ollama.payloads import Payload
from flask_shim.translate.ollama.records import OllamaEncoder
from flask_shim.translate.ollama.requests import (
    EmbeddingsRequest,
    EmbedRequest,
    GenerateRequest,
    InferenceRequest,
    InvalidFormat,
)
from flask_shim.translate.ollama.sampling_options import check_options

LEAST_CONTEXT = 4
"""Ollama raises a smaller ``num_ctx`` to this when it loads a model (0.33)."""

ModelRequest = InferenceRequest | EmbedRequest | EmbeddingsRequest
"""A request with options and a keep-alive."""

AnyModelRequest = TypeVar("AnyModelRequest", bound=ModelRequest)


def with_checked_options(api_request: AnyModelRequest) -> AnyModelRequest:
    """Return the request with options of the right types; raise Ollama's 500 for a wrong one."""
    checked = check_options(api_request.options)
    current().options = tuple(api_request.options)
    current().dropped += tuple(checked.unknown)
    return dataclasses.replace(api_request, options=checked.known)


def check_format(api_request: InferenceRequest) -> None:
    """Raise Ollama's 500 for an invalid format."""
    if isinstance(api_request.format, InvalidFormat):
        raise ShimError(api_request.format.complaint, status=500, log_text="invalid format")


def requirements_of_request(target: ResolvedModel, api_request: ModelRequest) -> ModelRequirements:
    """Return what the request needs of its model."""
    num_ctx = api_request.options.get("num_ctx")
    context = max(num_ctx, LEAST_CONTEXT) if num_ctx else services().config.default_context
    keep_alive = services().config.unload_ttl if api_request.keep_alive == 0 else api_request.keep_alive
    return ModelRequirements(target=target, keep_alive=keep_alive, context=context)


def open_completion(
    path: str, payload: Payload, target: ResolvedModel, api_request: InferenceRequest, started_ns: int
) -> Completion:
    """Open the completion; the caller must close it."""
    requirements = requirements_of_request(target, api_request)
    is_disconnected = disconnect_check(request.environ)
    return Completion(services().manager, requirements, is_disconnected, started_ns).open(path, payload)


def load_response(target: ResolvedModel, api_request: InferenceRequest, encoder: OllamaEncoder) -> Response:
    """Load the model and return Ollama's answer to that, one object even if a stream was requested."""
    load_for_request(target, api_request)
    return json_response(encoder.empty("load", time.time_ns()))


def load_for_request(target: ResolvedModel, api_request: ModelRequest) -> None:
    """Load the model and start its keep-alive."""
    manager = services().manager
    manager.check_may_change()
    services().backend.listing(must_answer=True)  # a cached list would hide that LM Studio has stopped
    with manager.admit(disconnect_check(request.environ)) as call:
        manager.load(requirements_of_request(target, api_request), call)


def unload_response(target: ResolvedModel, encoder: OllamaEncoder) -> Response:
    """Unload the model and return Ollama's answer to that, one object even if a stream was requested."""
    unload_for_request(target)
    return json_response(encoder.empty("unload", time.time_ns()))


def unload_for_request(target: ResolvedModel) -> None:
    """Unload the model."""
    manager = services().manager
    manager.check_may_change()
    with manager.admit(disconnect_check(request.environ)) as call:
        manager.unload(target.model, call)


def reader_options(
    target: ResolvedModel, api_request: InferenceRequest, offered: Schemas | None = None
) -> ReaderOptions:
    """Return how to read the answer to this request."""
    return ReaderOptions(
        offered=offered or {},
        mode="hide" if api_request.think is False else services().config.reasoning,
        can_think=has_thinking(target.model),
        is_raw=isinstance(api_request, GenerateRequest) and api_request.raw,
        wants_json=api_request.format is not None,
        new_id=new_call_id,
    )
