"""Translate OpenAI's Responses requests into payloads of /v1/chat/completions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_shim.lmstudio.completion_events import STREAMED
from flask_shim.lmstudio.model import Model
from flask_shim.translate.ollama.payloads import (
    Defaults,
    Payload,
    to_reasoning_effort,
    to_schema_format,
    to_ttl,
)
from flask_shim.translate.ollama.requests import Think
from flask_shim.translate.openai.chat_completions import adapt, to_think
from flask_shim.translate.openai.responses_items import to_turns
from flask_shim.translate.openai.responses_tools import LOCAL_SHELL, OfferedTools, by_name, function_name, offer


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsesRequest:
    """POST /v1/responses. ``input`` is a text or a list of items; ``reasoning`` and ``text`` are as the client sent."""

    model: str
    input: str | list[Any] | None = None
    instructions: str | None = None
    stream: bool = False
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int = 0
    reasoning: Mapping[str, Any] = field(default_factory=dict)
    text: Mapping[str, Any] = field(default_factory=dict)
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: Any = None
    parallel_tool_calls: bool = True
    previous_response_id: str = ""
    conversation: Any = None
    truncation: str | None = None
    background: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def think(self) -> Think:
        """Ollama's value for the effort; an unknown effort raises BadRequest."""
        return to_think(self.reasoning.get("effort"))

    @property
    def wants_json(self) -> bool:
        """Whether the answer has to be JSON."""
        return _format(self).get("type") in ("json_schema", "json_object")

    @property
    def functions(self) -> tuple[Mapping[str, Any], ...]:
        """The tools that a model is offered."""
        return tuple({**function, "name": name} for name, (function, _) in by_name(self.tools).items())

    @property
    def offered_tools(self) -> OfferedTools:
        """How the client knows the tools in ``functions``."""
        return {name: known for name, (_, known) in by_name(self.tools).items()}

    @property
    def left_out(self) -> tuple[str, ...]:
        """The kinds of the tools that are not offered."""
        return tuple(str(tool.get("type")) for tool in self.tools if not any(offer([tool])))


def to_payload(request: ResponsesRequest, model: Model, defaults: Defaults) -> Payload:
    """Return the payload of the chat that answers ``request``; one without messages only loads the model."""
    payload: Payload = {
        "model": model.key,
        "messages": to_turns(request.instructions, request.input),
        **STREAMED,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "max_tokens": request.max_output_tokens if request.max_output_tokens > 0 else None,
        "reasoning_effort": to_reasoning_effort(request.think, model),
        "response_format": _response_format(request),
        "ttl": to_ttl(None, defaults),
    }
    if functions := request.functions:
        payload["tools"] = [_tool(tool) for tool in functions]
        payload["tool_choice"] = _tool_choice(request.tool_choice)
        payload["parallel_tool_calls"] = request.parallel_tool_calls
    return adapt(payload, model)


def _tool(tool: Mapping[str, Any]) -> Payload:
    given = {name: tool.get(name) for name in ("name", "description", "parameters")}
    return {"type": "function", "function": {name: value for name, value in given.items() if value is not None}}


def _chosen_name(choice: Mapping[str, Any]) -> str:
    name = LOCAL_SHELL if choice.get("type") == LOCAL_SHELL else str(choice.get("name"))
    return function_name(name, str(choice.get("namespace") or ""))


def _tool_choice(choice: Any) -> Any:
    """Return the choice for a chat, None for a tool that is not offered."""
    if not isinstance(choice, dict):
        return choice
    if choice.get("type") == "allowed_tools":
        chosen = choice.get("tools")
        chosen = chosen if isinstance(chosen, list) else []
        tools = [{"name": _chosen_name(tool)} for tool in chosen if isinstance(tool, dict)]
        return {"type": "allowed_tools", "allowed_tools": {"mode": choice.get("mode"), "tools": tools}}
    is_offered = choice.get("type") in ("function", "custom", LOCAL_SHELL)
    return {"type": "function", "name": _chosen_name(choice)} if is_offered else None


def _format(request: ResponsesRequest) -> Mapping[str, Any]:
    wanted = request.text.get("format")
    return wanted if isinstance(wanted, dict) else {}


def _response_format(request: ResponsesRequest) -> Payload | None:
    wanted = _format(request)
    if wanted.get("type") == "json_schema":
        return to_schema_format(wanted.get("schema") or {}, wanted.get("name") or "answer")
    return {"type": "json_object"} if wanted.get("type") == "json_object" else None
