"""Translate Anthropic's Messages requests into payloads of /v1/chat/completions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_shim.errors import BadRequest
from flask_shim.lmstudio.completion_events import STREAMED
from flask_shim.lmstudio.model import Model
from flask_shim.translate.anthropic.content_blocks import to_turns
from flask_shim.translate.ollama.payloads import (
    Defaults,
    Payload,
    to_reasoning_effort,
    to_schema_format,
    to_ttl,
)
from flask_shim.translate.ollama.quoting import go_quote
from flask_shim.translate.ollama.requests import Think
from flask_shim.translate.openai.chat_completions import adapt

_EFFORTS: dict[Any, Think] = {"low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "max"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesRequest:
    """POST /v1/messages and /v1/messages/count_tokens; other fields have no counterpart in a chat."""

    model: str
    max_tokens: int = 0
    messages: tuple[Mapping[str, Any], ...] = ()
    system: Any = None
    stream: bool = False
    temperature: float | None = None
    top_p: float | None = None
    top_k: int = 0
    stop_sequences: tuple[str, ...] = ()
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: Mapping[str, Any] = field(default_factory=dict)
    thinking: Mapping[str, Any] = field(default_factory=dict)
    output_config: Mapping[str, Any] = field(default_factory=dict)
    output_format: Any = None
    """The deprecated place of ``output_config.format``."""

    @property
    def think(self) -> Think:
        """Ollama's ``think``. A budget in tokens has no counterpart."""
        kind = self.thinking.get("type")
        if kind == "disabled":
            return False
        effort = self.output_config.get("effort")
        known = _EFFORTS.get(effort) if isinstance(effort, str) else None
        return known or (True if kind == "enabled" else None)

    @property
    def wants_json(self) -> bool:
        """Whether the answer must be JSON."""
        return _schema(self) is not None

    @property
    def functions(self) -> tuple[Mapping[str, Any], ...]:
        """The tools to offer to the model; others run on Anthropic's servers, or only its models know them.

        Those that Claude Code's ToolSearch has found since the last request come last, so that the prompt begins as
        before and is in the prompt cache up to them.
        """
        return tuple(sorted(filter(_is_function, self.tools), key=lambda tool: bool(tool.get("defer_loading"))))

    @property
    def left_out(self) -> tuple[str, ...]:
        """The types of the tools that cannot be offered."""
        return tuple(str(tool.get("type")) for tool in self.tools if not _is_function(tool))


def check_request(request: MessagesRequest) -> None:
    """Reject what Ollama rejects before it resolves the model, in its order."""
    if not request.model:
        raise BadRequest("model is required")
    if request.max_tokens <= 0:
        raise BadRequest("max_tokens is required and must be positive")
    check_messages(request)


def check_messages(request: MessagesRequest) -> None:
    """Reject a conversation without messages."""
    if not request.messages:
        raise BadRequest("messages is required")


def to_payload(request: MessagesRequest, model: Model, defaults: Defaults) -> Payload:
    """Return the payload of the chat that answers ``request``."""
    payload: Payload = {
        "model": model.key,
        "messages": to_turns(request.system, request.messages),
        **STREAMED,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k if request.top_k > 0 else None,
        "stop": list(request.stop_sequences) or None,
        "reasoning_effort": to_reasoning_effort(request.think, model),
        "response_format": _response_format(request),
        "ttl": to_ttl(None, defaults),
    }
    if functions := request.functions:
        payload["tools"] = [_tool(tool) for tool in functions]
        payload["tool_choice"] = _tool_choice(request.tool_choice)
        if request.tool_choice.get("disable_parallel_tool_use"):
            payload["parallel_tool_calls"] = False
    return adapt(payload, model)


def to_counting_payload(request: MessagesRequest, model: Model, defaults: Defaults) -> Payload:
    """Return the payload of a chat whose only purpose is to count the tokens of the conversation."""
    payload = to_payload(request, model, defaults)
    payload.pop("response_format", None)  # a grammar costs time and no tokens
    return {**payload, "max_tokens": 1}


def _is_function(tool: Mapping[str, Any]) -> bool:
    return bool(tool.get("name")) and tool.get("type") in (None, "", "custom")


def _tool(tool: Mapping[str, Any]) -> Payload:
    schema = tool.get("input_schema")
    if schema is not None and not isinstance(schema, dict):
        text = f"invalid input_schema for tool {go_quote(str(tool['name']))}: it must be an object"
        raise BadRequest(text, log_text="invalid input_schema: it must be an object")
    function = {"name": tool["name"], "parameters": schema or {}}
    if tool.get("description"):
        function["description"] = tool["description"]
    return {"type": "function", "function": function}


def _tool_choice(choice: Mapping[str, Any]) -> Any:
    if choice.get("type") == "tool":
        return {"type": "function", "function": {"name": choice.get("name")}}
    return {"any": "required", "auto": "auto", "none": "none"}.get(str(choice.get("type")))


def _schema(request: MessagesRequest) -> Any:
    given = request.output_config.get("format") or request.output_format
    return given.get("schema") if isinstance(given, dict) and given.get("type") == "json_schema" else None


def _response_format(request: MessagesRequest) -> Payload | None:
    schema = _schema(request)
    return None if schema is None else to_schema_format(schema)
