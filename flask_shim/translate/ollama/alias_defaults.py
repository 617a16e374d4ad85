"""What a request inherits from the alias it names and from the profile of its model; the request's own values win."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from flask_shim.translate.chat_turns import SYSTEM_ROLES
from flask_shim.translate.ollama.capabilities import has_thinking
from flask_shim.translate.ollama.listing import Entry
from flask_shim.translate.ollama.payloads import SAME, Defaults, Payload, to_messages, to_sampling
from flask_shim.translate.ollama.requests import (
    AnyModelRequest,
    ChatRequest,
    GenerateRequest,
    InferenceRequest,
    Message,
    Think,
)
from flask_shim.translate.ollama.sampling_options import check_options


def with_alias_options(request: AnyModelRequest, entry: Entry) -> AnyModelRequest:
    """Return the request with the entry's parameters as defaults of its options; null counts as not given."""
    if request.keep_alive is None and entry.profile.keep_alive is not None:
        request = dataclasses.replace(request, keep_alive=entry.profile.keep_alive)
    if isinstance(request, InferenceRequest) and request.think is None and (think := default_think(entry)) is not None:
        request = dataclasses.replace(request, think=think)
    given = {key: value for key, value in request.options.items() if value is not None}
    return dataclasses.replace(request, options={**entry.parameters, **given}) if entry.parameters else request


def default_think(entry: Entry) -> Think:
    """Return the profile's level of thinking, unless the model certainly cannot think."""
    return entry.profile.think if has_thinking(entry.model) else None


def chat_with_alias_defaults(request: ChatRequest, entry: Entry) -> ChatRequest:
    """Return the request with the entry's parameters and, unless it only loads the model, its messages."""
    request = with_alias_options(request, entry)
    if not request.messages:
        return request
    before = _before(entry, begins_with=request.messages[0].role)
    return dataclasses.replace(request, messages=(*before, *request.messages)) if before else request


def generate_with_alias_defaults(request: GenerateRequest, entry: Entry) -> GenerateRequest:
    """Return the request with the entry's parameters and, unless it is raw, its system prompt and template.

    The entry's messages are not added: they replace an empty history.
    """
    request = with_alias_options(request, entry)
    if request.raw:
        return request
    return dataclasses.replace(
        request, system=request.system or entry.system, template=request.template or entry.template
    )


def _before(entry: Entry, *, begins_with: str) -> tuple[Message, ...]:
    system = (Message("system", entry.system),) if entry.system and begins_with not in SYSTEM_ROLES else ()
    return (*system, *entry.messages)


def context_of(entry: Entry) -> int:
    """Return the context that the entry's parameters request, in tokens; 0 for none."""
    return int(check_options(entry.parameters).known.get("num_ctx", 0))


def payload_with_alias_defaults(path: str, payload: Payload, entry: Entry) -> Payload:
    """Return a request of OpenAI's, Anthropic's or LM Studio's API with the settings of ``entry``.

    ``payload`` must be without nulls. Templates are not applied on these routes, and parameters that ``path`` does not
    know are left out.
    """
    defaults = {}
    if entry.parameters and path in OPTION_NAMES:
        options = check_options(entry.parameters).known
        values = {**to_sampling(options, Defaults()), "num_ctx": options.get("num_ctx")}
        names = OPTION_NAMES[path]
        defaults = {names[key]: value for key, value in values.items() if key in names and value is not None}
    if entry.system and path in SYSTEM_FIELDS:
        defaults[SYSTEM_FIELDS[path]] = entry.system
    payload = {**payload, **{key: value for key, value in defaults.items() if key not in payload}}
    messages = payload.get("messages")
    if path in CHAT_PATHS and isinstance(messages, list) and messages:
        first = messages[0]
        role = first.get("role", "") if isinstance(first, Mapping) else ""
        payload["messages"] = [*to_messages(_before(entry, begins_with=role)), *messages]
    return payload


CHAT_PATHS = ("/v1/chat/completions", "/api/v0/chat/completions")

SYSTEM_FIELDS = {"/v1/responses": "instructions", "/v1/messages": "system", "/api/v1/chat": "system_prompt"}
"""Routes with a field for the system prompt."""


def _same(*names: str) -> dict[str, str]:
    return dict(zip(names, names, strict=True))


_OPENAI = _same(*SAME, "max_tokens", "seed", "stop")
_TO_OUTPUT = {"max_tokens": "max_output_tokens"}
_TO_CONTEXT = {"num_ctx": "context_length"}

OPTION_NAMES: dict[str, dict[str, str]] = {
    "/v1/chat/completions": _OPENAI,
    "/v1/completions": _OPENAI,
    "/api/v0/chat/completions": _OPENAI,
    "/api/v0/completions": _OPENAI,
    "/v1/responses": _same("temperature", "top_p") | _TO_OUTPUT,
    "/v1/messages": _same("temperature", "top_p", "top_k") | {"stop": "stop_sequences"},
    # LM Studio rejects the request for one unknown name.
    "/api/v1/chat": _same("temperature", "top_p", "top_k", "min_p", "repeat_penalty") | _TO_OUTPUT | _TO_CONTEXT,
    "/api/v1/models/load": _TO_CONTEXT,
}
"""For each path: the names of our parameters there."""
