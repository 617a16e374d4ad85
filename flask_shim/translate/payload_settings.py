"""Read and change the settings in payloads for routes of OpenAI's, Anthropic's and LM Studio's API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_shim.lmstudio.model import Model
from flask_shim.translate.chat_turns import SYSTEM_ROLES
from flask_shim.translate.ollama.alias_defaults import CHAT_PATHS, SYSTEM_FIELDS
from flask_shim.translate.ollama.capabilities import supported_think
from flask_shim.translate.ollama.payloads import SAME, Defaults, Payload, to_reasoning_effort, to_sampling, to_ttl
from flask_shim.translate.ollama.requests import Think
from flask_shim.translate.request_settings import RequestSettings


def _same(*names: str) -> dict[str, str]:
    return dict(zip(names, names, strict=True))


_OPENAI = _same(*SAME, "seed", "stop") | {"num_predict": "max_tokens"}

_OPTION_FIELDS: dict[str, dict[str, str]] = {
    "/v1/chat/completions": _OPENAI,
    "/v1/completions": _OPENAI,
    "/api/v0/chat/completions": _OPENAI,
    "/api/v0/completions": _OPENAI,
    "/v1/responses": _same("temperature", "top_p") | {"num_predict": "max_output_tokens"},
    "/v1/messages": _same("temperature", "top_p", "top_k") | {"stop": "stop_sequences"},
    # LM Studio rejects the request for one unknown name.
    "/api/v1/chat": {
        **_same("temperature", "top_p", "top_k", "min_p", "repeat_penalty"),
        "num_predict": "max_output_tokens",
        "num_ctx": "context_length",
    },
    "/api/v1/models/load": {"num_ctx": "context_length"},
}
"""For each path: the options that it knows, by Ollama's names, and the fields that they have there."""

_TTL_PATHS = (*CHAT_PATHS, "/v1/completions", "/api/v0/completions", "/v1/embeddings", "/v1/responses")
"""The paths that accept ``ttl``."""


def settings_of_payload(path: str, payload: Mapping[str, Any]) -> RequestSettings:
    """Return the settings of a payload, without keep-alive."""
    fields = _OPTION_FIELDS.get(path, {})
    options = {option: payload[field] for option, field in fields.items() if field in payload}
    return RequestSettings(options=options, think=_think(payload), system=_system(path, payload))


def payload_with_settings(
    path: str, payload: Payload, before: RequestSettings, after: RequestSettings, model: Model
) -> Payload:
    """Return the payload with what differs between ``before`` and ``after``, as far as the route has a place for it."""
    payload = dict(payload)
    for option, field in _OPTION_FIELDS.get(path, {}).items():
        value = after.options.get(option)
        if value != before.options.get(option):
            _set_option(payload, field, option, value)
    if after.keep_alive is not None and after.keep_alive != before.keep_alive and path in _TTL_PATHS:
        payload["ttl"] = to_ttl(after.keep_alive, Defaults(unload_ttl_seconds=1))
    if after.think != before.think and path in _OPTION_FIELDS:
        _set_effort(path, payload, to_reasoning_effort(supported_think(after.think, model), model))
    if after.system and after.system != before.system:
        _set_system(path, payload, after.system)
    return payload


def _set_option(payload: Payload, field: str, option: str, value: Any) -> None:
    """Write an option; LM Studio's default is written by leaving it out."""
    payload.pop(field, None)
    if field == "max_tokens":
        payload.pop("max_completion_tokens", None)  # OpenAI's other name for it
    if option != "num_ctx":  # a setting of the model
        value = next(iter(to_sampling({option: value}, Defaults()).values()), None)
    if value is not None:
        payload[field] = value


def _think(payload: Mapping[str, Any]) -> Think:
    reasoning = payload.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, Mapping) else reasoning
    effort = payload.get("reasoning_effort") if effort is None else effort
    if effort in ("none", "off"):
        return False
    return effort if isinstance(effort, str) else None


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


def _system(path: str, payload: Mapping[str, Any]) -> str | None:
    """Return the system prompt, "" without one, None where it has no place."""
    if path in SYSTEM_FIELDS:
        text = payload.get(SYSTEM_FIELDS[path]) or ""
        return text if isinstance(text, str) else None
    messages = payload.get("messages")
    if path not in CHAT_PATHS or not isinstance(messages, list) or not messages:
        return None
    return _text(messages[0].get("content")) if _is_system(messages[0]) else ""


def _set_system(path: str, payload: Payload, system: str) -> None:
    if path in SYSTEM_FIELDS:
        payload[SYSTEM_FIELDS[path]] = system
        return
    first, *rest = payload["messages"]
    if _is_system(first):
        payload["messages"] = [{**first, "content": system}, *rest]
    else:
        payload["messages"] = [{"role": "system", "content": system}, first, *rest]


def _is_system(turn: Any) -> bool:
    return isinstance(turn, Mapping) and turn.get("role") in SYSTEM_ROLES


def _text(content: Any) -> str:
    """Return the text of a message's content, which may be a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part.get("text") or "") for part in parts if isinstance(part, Mapping))
