"""What aliases, profiles and rules can change in a request, as one value for all protocols."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_shim.translate.chat_turns import SYSTEM_ROLES
from flask_shim.translate.ollama.capabilities import has_thinking
from flask_shim.translate.ollama.listing import Entry
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
