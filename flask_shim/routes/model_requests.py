"""A request for a model: resolve its name, check its options, load or unload the model, open the completion."""

from __future__ import annotations

import dataclasses
import logging
import time
from functools import cache
from typing import Any

from flask import Response

from flask_shim.error_responses import json_response
from flask_shim.inference.completion import Completion
from flask_shim.inference.respond import new_call_id, send_completion
from flask_shim.lmstudio.client import CHAT
from flask_shim.lmstudio.model import Model, Support
from flask_shim.models.loader import ModelRequirements
from flask_shim.models.registry import ResolvedModel
from flask_shim.observability.request_context import current
from flask_shim.routes.request_rules import apply_rules
from flask_shim.services import services
from flask_shim.translate.answer.answer_reader import ReaderOptions
from flask_shim.translate.answer.encoder import Encoder
from flask_shim.translate.answer.tool_schemas import Schemas, to_schemas
from flask_shim.translate.anthropic.messages_request import MessagesRequest
from flask_shim.translate.billing_line import BILLING_LINE, without_billing_line
from flask_shim.translate.ollama.alias_defaults import context_of, payload_with_alias_turns, with_alias_turns
from flask_shim.translate.ollama.capabilities import has_thinking
from flask_shim.translate.ollama.payloads import Payload
from flask_shim.translate.ollama.records import OllamaEncoder
from flask_shim.translate.ollama.requests import AnyModelRequest, InferenceRequest, ModelRequest, Think
from flask_shim.translate.ollama.sampling_options import check_options
from flask_shim.translate.openai.responses_request import ResponsesRequest
from flask_shim.translate.payload_settings import payload_with_settings, settings_of_payload
from flask_shim.translate.request_settings import settings_of, with_defaults, with_settings

log = logging.getLogger(__name__)

LEAST_CONTEXT = 4
"""Ollama raises a smaller ``num_ctx`` to this when it loads a model (0.33)."""


def with_defaults_and_rules(api_request: AnyModelRequest, target: ResolvedModel) -> AnyModelRequest:
    """Return the request with the settings of its alias and of the model's profile, as the rules change it."""
    if target.alias is None and not target.entry.profile.line and not services().config.file.rules:
        return api_request
    api_request = with_alias_turns(api_request, target.entry)
    return with_settings(api_request, apply_rules(with_defaults(settings_of(api_request), target.entry), target))


def with_checked_options(api_request: AnyModelRequest) -> AnyModelRequest:
    """Return the request with options of the right types; raise Ollama's 500 for a wrong one."""
    if not api_request.options:
        return api_request
    checked = check_options(api_request.options)
    current().options = tuple(api_request.options)
    current().dropped += tuple(checked.unknown)
    is_same = checked.known == api_request.options
    return api_request if is_same else dataclasses.replace(api_request, options=checked.known)


def record_dropped_effort(think: Think, model: Model) -> None:
    """Record that a request for thinking is dropped: agents send it to every model, also to those that cannot think."""
    if think and model.reasoning is Support.NO:
        current().drop("reasoning_effort", "the model cannot think")


def drop_billing_line(system: Any) -> Any:
    """Return a system prompt without Claude Code's billing line, None if nothing else is in it; record the removal."""
    if services().config.keep_billing_line:
        return system
    rest = without_billing_line(system)
    if rest != system:
        current().drop(BILLING_LINE, "it changes with every request, so that LM Studio would read the prompt again")
        _log_first_removal()
    return rest


@cache
def _log_first_removal() -> None:
    """Log once; the access log of the other requests has it at debug level."""
    log.info(
        "removed the line %s from a system prompt: LM Studio would read the whole prompt again for each request. "
        "SHIM_KEEP_BILLING_LINE=1 keeps it.",
        BILLING_LINE,
    )


def requirements_of_request(target: ResolvedModel, api_request: ModelRequest) -> ModelRequirements:
    """Return what a request with options and a keep-alive needs of its model."""
    num_ctx = api_request.options.get("num_ctx")
    context = max(num_ctx, LEAST_CONTEXT) if num_ctx else services().config.default_context
    return ModelRequirements(target=target, keep_alive=idle_seconds(api_request.keep_alive), context=context)


def default_requirements(target: ResolvedModel) -> ModelRequirements:
    """Return what a request needs that has neither."""
    context = context_of(target.entry) or services().config.default_context
    return ModelRequirements(target=target, keep_alive=idle_seconds(target.entry.profile.keep_alive), context=context)


def idle_seconds(keep_alive: float | None) -> float | None:
    """Return the keep-alive after an answer, for which SHIM_UNLOAD_TTL_SECONDS may replace 0."""
    return services().config.unload_ttl if keep_alive == 0 else keep_alive


def new_chat(target: ResolvedModel, payload: Payload, *, think: Think = None) -> Completion:
    """Return the chat of a request without options and keep-alive; nothing is sent yet.

    ``think`` is what the client asked for, which ``payload`` lacks where it is LM Studio's default.
    """
    payload, requirements = adjust_payload(CHAT, payload, target, think=think)
    return Completion(CHAT, payload, requirements)


def adjust_payload(
    path: str, payload: Payload, target: ResolvedModel, *, think: Think = None, ttl: float | None = None
) -> tuple[Payload, ModelRequirements]:
    """Add the defaults of the alias and the profile, apply the rules, and return what the request needs of its model.

    ``think`` and ``ttl`` are what the client asked for, as far as ``payload`` does not say it.
    """
    payload = payload_with_alias_turns(path, payload, target.entry)
    given = settings_of_payload(path, payload)
    given = dataclasses.replace(given, think=given.think if think is None else think, keep_alive=ttl)
    wanted = apply_rules(with_defaults(given, target.entry), target)
    is_kept_by_us, context = wanted.keep_alive != ttl, wanted.options.get("num_ctx")
    requirements = ModelRequirements(
        target=target,
        keep_alive=idle_seconds(wanted.keep_alive) if is_kept_by_us else None,
        # LM Studio rejects a wrong one in the payload.
        context=context if isinstance(context, int) and context > 0 else services().config.default_context,
    )
    return payload_with_settings(path, payload, given, wanted, target.model), requirements


def reader_options(
    target: ResolvedModel, *, think: Think, wants_json: bool, offered: Schemas | None = None, is_raw: bool = False
) -> ReaderOptions:
    """Return how to read the answer of ``target``; ``offered`` are the tools of the request."""
    mode = services().config.reasoning
    if think is False or current().hides_thinking:
        mode = "hide"
    elif wants_json and mode == "merge":  # merged with thinking, it would not be JSON
        mode = "separate"
    return ReaderOptions(
        offered=offered or {},
        mode=mode,
        can_think=has_thinking(target.model),
        is_raw=is_raw,
        wants_json=wants_json,
        new_id=new_call_id,
    )


def send_chat(
    api_request: ResponsesRequest | MessagesRequest,
    target: ResolvedModel,
    payload: Payload,
    encoder: Encoder,
) -> Response:
    """Answer a request of OpenAI's Responses or Anthropic's Messages with a chat."""
    current().dropped += api_request.left_out
    think = api_request.think
    completion = new_chat(target, payload, think=think)
    offered = to_schemas(api_request.functions)
    options = reader_options(target, think=think, wants_json=api_request.wants_json, offered=offered)
    return send_completion(completion, encoder, options, stream=api_request.stream)


def load(requirements: ModelRequirements) -> None:
    """Load the model and start its keep-alive."""
    manager = services().manager
    manager.check_may_change()
    services().backends.listing(must_answer=True)  # a cached list would hide that LM Studio has stopped
    with manager.admit() as call:
        manager.load(requirements, call)


def unload(target: ResolvedModel) -> None:
    """Unload the model."""
    manager = services().manager
    manager.check_may_change()
    with manager.admit() as call:
        manager.unload(target, call)


def load_response(target: ResolvedModel, api_request: InferenceRequest, encoder: OllamaEncoder) -> Response:
    """Load the model and return Ollama's answer to that, one object even if a stream was requested."""
    load(requirements_of_request(target, api_request))
    return json_response(encoder.empty("load", time.time_ns()))


def unload_response(target: ResolvedModel, encoder: OllamaEncoder) -> Response:
    """Unload the model and return Ollama's answer to that, one object even if a stream was requested."""
    unload(target)
    return json_response(encoder.empty("unload", time.time_ns()))
