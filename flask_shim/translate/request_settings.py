"""What aliases, profiles and rules can change in a request, as one value for all protocols."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_shim.lmstudio.model import Model
from flask_shim.translate.chat_turns import SYSTEM_ROLES
from flask_shim.translate.ollama.alias_defaults import CHAT_PATHS, SYSTEM_FIELDS
from flask_shim.translate.ollama.capabilities import has_thinking, supported_think
from flask_shim.translate.ollama.listing import Entry
from flask_shim.translate.ollama.payloads import SAME, Defaults, Payload, to_reasoning_effort, to_sampling, to_ttl
from flask_shim.translate.ollama.requests import (
    AnyModelRequest,
    ChatRequest,
    GenerateRequest,
    InferenceRequest,
    Message,
    ModelRequest,
    Think,
)
from flask_shim.translate.ollama.sampling_options import check_options


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
"""For each path: the names of our parameters there; what a path does not know is left out."""

_OLLAMA_NAMES = {"max_tokens": "num_predict"}
"""Ollama's names for our parameters, where they differ."""

_TTL_PATHS = (*CHAT_PATHS, "/v1/completions", "/api/v0/completions", "/v1/embeddings", "/v1/responses")
"""The paths that accept ``ttl``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSettings:
    """The options, by Ollama's names, and what stands beside them. ``system`` is None where it has no place."""

    options: Mapping[str, Any] = field(default_factory=dict)
    think: Think = None
    keep_alive: float | None = None
    system: str | None = None
    hides_thinking: bool = False


def with_defaults(settings: RequestSettings, entry: Entry) -> RequestSettings:
    """Return the settings with those of an alias and a profile where the request has none; null counts as none."""
    given = {name: value for name, value in settings.options.items() if value is not None}
    think = entry.profile.think if has_thinking(entry.model) else None
    return dataclasses.replace(
        settings,
        options={**check_options(entry.parameters).known, **given},
        think=think if settings.think is None else settings.think,
        keep_alive=entry.profile.keep_alive if settings.keep_alive is None else settings.keep_alive,
    )


def settings_of(request: ModelRequest) -> RequestSettings:
    """Return the settings of a request of Ollama's API."""
    return RequestSettings(
        options=request.options,
        keep_alive=request.keep_alive,
        think=request.think if isinstance(request, InferenceRequest) else None,
        system=_system_of(request),
    )


def with_settings(request: AnyModelRequest, settings: RequestSettings) -> AnyModelRequest:
    """Return the request with other settings."""
    changes: dict[str, Any] = {"options": settings.options, "keep_alive": settings.keep_alive}
    if isinstance(request, InferenceRequest):
        changes["think"] = settings.think
    if settings.system is not None and settings.system != _system_of(request):
        if isinstance(request, ChatRequest):
            changes["messages"] = _with_system(request.messages, settings.system)
        else:
            changes["system"] = settings.system
    return dataclasses.replace(request, **changes)


def _system_of(request: object) -> str | None:
    if isinstance(request, ChatRequest) and request.messages:
        first = request.messages[0]
        return first.content if first.role in SYSTEM_ROLES else ""
    # The context of an earlier answer has the system prompt already.
    if isinstance(request, GenerateRequest) and request.prompt and not request.raw:
        return request.system if request.system or not request.context else None
    return None


def _with_system(messages: tuple[Message, ...], system: str) -> tuple[Message, ...]:
    first = messages[0]
    if first.role in SYSTEM_ROLES:
        return (dataclasses.replace(first, content=system), *messages[1:])
    return (Message("system", system), *messages)


def settings_of_payload(path: str, payload: Mapping[str, Any]) -> RequestSettings:
    """Return the settings of a payload for a route of LM Studio, without keep-alive."""
    names = OPTION_NAMES.get(path, {})
    options = {_OLLAMA_NAMES.get(ours, ours): payload[theirs] for ours, theirs in names.items() if theirs in payload}
    return RequestSettings(options=options, think=_think_in(payload), system=_system_in(path, payload))


def payload_with_settings(
    path: str, payload: Payload, before: RequestSettings, after: RequestSettings, model: Model
) -> Payload:
    """Return the payload with what differs between ``before`` and ``after``, as far as the route has a place for it."""
    names = OPTION_NAMES.get(path, {})
    payload = dict(payload)
    for ours, theirs in names.items():
        option = _OLLAMA_NAMES.get(ours, ours)
        if (value := after.options.get(option)) != before.options.get(option):
            payload.pop(theirs, None)
            payload.pop(f"max_completion_{theirs.removeprefix('max_')}", None)  # OpenAI's other name for max_tokens
            sampling = {"num_ctx": value} if ours == "num_ctx" else to_sampling({option: value}, Defaults())
            payload.update({theirs: sampling[ours]} if sampling.get(ours) is not None else {})
    if after.keep_alive is not None and after.keep_alive != before.keep_alive and path in _TTL_PATHS:
        payload["ttl"] = to_ttl(after.keep_alive, Defaults(unload_ttl_seconds=1))
    if after.think != before.think and path in OPTION_NAMES:
        _set_effort(path, payload, to_reasoning_effort(supported_think(after.think, model), model))
    if after.system and after.system != before.system:
        _set_system(path, payload, after.system)
    return payload


def _set_effort(path: str, payload: Payload, effort: str | None) -> None:
    """Write LM Studio's level of thinking; None means its default."""
    payload.pop("reasoning_effort", None)
    payload.pop("reasoning", None)
    if effort is None or path == "/api/v1/models/load":
        return
    if path == "/v1/responses":
        payload["reasoning"] = {"effort": effort}
    elif path == "/api/v1/chat":
        payload["reasoning"] = "off" if effort == "none" else effort
    else:
        payload["reasoning_effort"] = effort


def _think_in(payload: Mapping[str, Any]) -> Think:
    reasoning = payload.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, Mapping) else reasoning
    effort = payload.get("reasoning_effort") if effort is None else effort
    if effort in ("none", "off"):
        return False
    return effort if isinstance(effort, str) else None


def _system_in(path: str, payload: Mapping[str, Any]) -> str | None:
    if path in SYSTEM_FIELDS:
        text = payload.get(SYSTEM_FIELDS[path]) or ""
        return text if isinstance(text, str) else None
    messages = payload.get("messages")
    if path not in CHAT_PATHS or not isinstance(messages, list) or not messages:
        return None
    first = messages[0]
    return _text(first.get("content")) if _is_system(first) else ""


def _set_system(path: str, payload: Payload, system: str) -> None:
    if path in SYSTEM_FIELDS:
        payload[SYSTEM_FIELDS[path]] = system
        return
    first, *rest = payload["messages"]
    head = {**first, "content": system} if _is_system(first) else {"role": "system", "content": system}
    payload["messages"] = [head, *(rest if _is_system(first) else [first, *rest])]


def _is_system(turn: Any) -> bool:
    return isinstance(turn, Mapping) and turn.get("role") in SYSTEM_ROLES


def _text(content: Any) -> str:
    """Return the text of a message's content, which may be a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part.get("text") or "") for part in parts if isinstance(part, Mapping))
