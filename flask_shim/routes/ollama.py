"""POST /api/chat and POST /api/generate."""

from __future__ import annotations

import dataclasses
import logging

from flask import Blueprint, Response, request

from flask_shim.errors import ShimError
from flask_shim.inference.completion import Completion
from flask_shim.inference.respond import send_completion
from flask_shim.lmstudio.client import CHAT, COMPLETIONS
from flask_shim.routes.model_requests import (
    drop_billing_line,
    load_response,
    reader_options,
    requirements_of_request,
    unload_response,
    with_checked_options,
    with_defaults_and_rules,
)
from flask_shim.routes.naming import CHAT_NAMING, GENERATE_NAMING
from flask_shim.schemas.ollama_requests import load_chat, load_generate
from flask_shim.services import services
from flask_shim.translate.answer.tool_schemas import to_schemas
from flask_shim.translate.chat_turns import SYSTEM_ROLES
from flask_shim.translate.ollama.capabilities import check_chat, check_generate, check_thinking
from flask_shim.translate.ollama.context import from_context, to_context, turns_before
from flask_shim.translate.ollama.payloads import chat_payload, completion_payload, generate_payload
from flask_shim.translate.ollama.prompts import chat_prompt, check_raw, completion_prompt
from flask_shim.translate.ollama.records import ChatEncoder, GenerateEncoder
from flask_shim.translate.ollama.requests import ChatRequest, GenerateRequest, InferenceRequest, InvalidFormat, Message

log = logging.getLogger(__name__)

bp = Blueprint("ollama", __name__)


@bp.post("/api/chat")
def chat() -> Response:
    """Chat with a model, or load or unload it."""
    api_request = _without_billing_line(load_chat(request.get_data(cache=False)))
    target = CHAT_NAMING.resolve(api_request.model)
    encoder = ChatEncoder(api_request.model)
    if not api_request.messages and api_request.keep_alive == 0:
        return unload_response(target, encoder)
    api_request = with_defaults_and_rules(api_request, target)
    check_thinking(api_request.model, api_request.think, target.model)
    check_chat(api_request.model, api_request.tools, target.model)
    api_request = with_checked_options(api_request)
    if not api_request.messages:
        return load_response(target, api_request, encoder)
    _check_format(api_request)
    if template := target.entry.template:
        prompt = chat_prompt(api_request, template)
        path, payload = COMPLETIONS, completion_payload(api_request, prompt, target.model, services().defaults)
    else:
        path, payload = CHAT, chat_payload(api_request, target.model, services().defaults)
    offered = to_schemas(tool["function"] for tool in api_request.tools) if api_request.tools else {}
    completion = Completion(path, payload, requirements_of_request(target, api_request))
    wants_json = api_request.format is not None
    options = reader_options(target, think=api_request.think, wants_json=wants_json, offered=offered)
    return send_completion(completion, encoder, options, stream=api_request.stream)


@bp.post("/api/generate")
def generate() -> Response:
    """Continue a prompt, or load or unload a model."""
    api_request = load_generate(request.get_data(cache=False))
    target = GENERATE_NAMING.resolve(api_request.model)
    if not api_request.prompt and api_request.keep_alive == 0:
        return unload_response(target, GenerateEncoder(api_request.model))
    check_raw(api_request)
    api_request = with_defaults_and_rules(api_request, target)
    check_thinking(api_request.model, api_request.think, target.model)
    check_generate(api_request.model, api_request.suffix, target.model)
    api_request = with_checked_options(api_request)
    if not api_request.prompt:
        return load_response(target, api_request, GenerateEncoder(api_request.model))
    _check_format(api_request)
    history = _read_context(api_request) or target.entry.messages
    via_completions = services().config.generate_via == "completions"
    prompt = completion_prompt(api_request, history, target.model, always=via_completions)
    if prompt is None:
        path, payload = CHAT, generate_payload(api_request, history, target.model, services().defaults)
    else:
        path, payload = COMPLETIONS, completion_payload(api_request, prompt, target.model, services().defaults)

    def context_after(text: str) -> tuple[int, ...]:
        turns = (*turns_before(api_request, history), Message("user", api_request.prompt), Message("assistant", text))
        return () if api_request.raw else to_context(turns)

    encoder = GenerateEncoder(api_request.model, context_after)
    completion = Completion(path, payload, requirements_of_request(target, api_request))
    wants_json = api_request.format is not None
    options = reader_options(target, think=api_request.think, wants_json=wants_json, is_raw=api_request.raw)
    return send_completion(completion, encoder, options, stream=api_request.stream)


def _without_billing_line(api_request: ChatRequest) -> ChatRequest:
    """Return a chat without the billing line that proxies of Claude Code hand on in the first system turn."""
    if not api_request.messages or (first := api_request.messages[0]).role not in SYSTEM_ROLES:
        return api_request
    content = drop_billing_line(first.content)
    if content == first.content:
        return api_request
    head = (dataclasses.replace(first, content=content),) if content else ()
    return dataclasses.replace(api_request, messages=(*head, *api_request.messages[1:]))


def _check_format(api_request: InferenceRequest) -> None:
    if isinstance(api_request.format, InvalidFormat):
        raise ShimError(api_request.format.complaint, status=500, log_text="invalid format")


def _read_context(api_request: GenerateRequest) -> tuple[Message, ...]:
    turns = from_context(api_request.context)
    if turns is None:
        log.warning("ignored the context of a request: this server did not make it")
        return ()
    return turns
