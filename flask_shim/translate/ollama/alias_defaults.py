"""The turns that a request inherits from the alias it names and from the profile of its model; its own ones win."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from flask_shim.translate.chat_turns import SYSTEM_ROLES
from flask_shim.translate.ollama.listing import Entry
from flask_shim.translate.ollama.payloads import Payload, to_messages
from flask_shim.translate.ollama.requests import AnyModelRequest, ChatRequest, GenerateRequest, Message
from flask_shim.translate.ollama.sampling_options import check_options

CHAT_PATHS = ("/v1/chat/completions", "/api/v0/chat/completions")

SYSTEM_FIELDS = {"/v1/responses": "instructions", "/v1/messages": "system", "/api/v1/chat": "system_prompt"}
"""Routes with a field for the system prompt."""


def with_alias_turns(request: AnyModelRequest, entry: Entry) -> AnyModelRequest:
    """Return a request of Ollama's API with the system prompt, and the messages or the template, of ``entry``.

    A chat that only loads the model gets none, nor does a raw prompt. A prompt does not get the messages: they replace
    an empty history.
    """
    changes: dict[str, Any] = {}
    if isinstance(request, ChatRequest) and request.messages:
        before = _turns_before(entry, begins_with=request.messages[0].role)
        changes = {"messages": (*before, *request.messages)}
    elif isinstance(request, GenerateRequest) and not request.raw:
        changes = {"system": request.system or entry.system, "template": request.template or entry.template}
    return dataclasses.replace(request, **changes)


def payload_with_alias_turns(path: str, payload: Payload, entry: Entry) -> Payload:
    """Return a request of OpenAI's, Anthropic's or LM Studio's API with the system prompt and messages of ``entry``.

    Templates are not applied on these routes.
    """
    if entry.system and path in SYSTEM_FIELDS:
        return {SYSTEM_FIELDS[path]: entry.system, **payload}
    messages = payload.get("messages")
    if path not in CHAT_PATHS or not isinstance(messages, list) or not messages:
        return payload
    first = messages[0]
    role = first.get("role", "") if isinstance(first, Mapping) else ""
    return {**payload, "messages": [*to_messages(_turns_before(entry, begins_with=role)), *messages]}


def _turns_before(entry: Entry, *, begins_with: str) -> tuple[Message, ...]:
    system = (Message("system", entry.system),) if entry.system and begins_with not in SYSTEM_ROLES else ()
    return (*system, *entry.messages)


def context_of(entry: Entry) -> int:
    """Return the context that the entry's parameters request, in tokens; 0 for none."""
    return int(check_options(entry.parameters).known.get("num_ctx", 0))
