"""Check and repair OpenAI-style requests so that LM Studio accepts them; the errors are Ollama's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from flask_shim.errors import BadRequest, Forbidden
from flask_shim.lmstudio.model import Model, Support
from flask_shim.translate.chat_history import repair_history
from flask_shim.translate.ollama.payloads import Payload, to_response_format, to_tool
from flask_shim.translate.ollama.quoting import GO_TYPES, go_quote
from flask_shim.translate.ollama.requests import Think

_EFFORTS: dict[str, Think] = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "max",
    "ultra": "max",
    "max": "max",
    "none": False,
}
"""Ollama's values for OpenAI's efforts, in the order of its error text."""

_UNKNOWN_TO_LM_STUDIO = {"max": "high", "ultra": "high"}


def adapt(body: Mapping[str, Any], model: Model | None = None) -> Payload:
    """Return the request with what LM Studio would reject replaced; equal to ``body`` where it rejects nothing."""
    payload = {key: value for key, value in body.items() if value is not None}
    response_format = payload.get("response_format")
    if isinstance(response_format, dict) and response_format.get("type") == "json_object":
        payload["response_format"] = to_response_format("json")
    if isinstance(payload.get("tool_choice"), dict):
        _repair_tool_choice(payload)
    if isinstance(payload.get("tools"), list):
        payload["tools"] = [
            to_tool(tool) if isinstance(tool, dict) and isinstance(tool.get("function"), dict) else tool
            for tool in payload["tools"]
        ]
    if not payload.get("tools"):
        # vLLM rejects an empty list, and a choice without tools.
        payload.pop("tools", None)
        payload.pop("tool_choice", None)
    elif payload.get("tool_choice") == "required":
        # A format is for answers in words. llama.cpp's engine would write one of these instead of the call.
        payload.pop("response_format", None)
    if "max_completion_tokens" in payload:
        payload.setdefault("max_tokens", payload["max_completion_tokens"])  # the only name that older builds know
    if not payload.get("stream"):
        payload.pop("stream_options", None)
    turns = payload.get("messages")
    if isinstance(turns, list) and all(isinstance(turn, dict) for turn in turns):
        payload["messages"] = repair_history(turns, model.key if model else "")
    return payload


def uses_mcp(body: Mapping[str, Any]) -> bool:
    """Return whether the request makes LM Studio call programs or servers that the client chooses."""
    tools = body.get("tools")
    return bool(body.get("integrations") or body.get("plugins") or body.get("mcp_servers")) or (
        isinstance(tools, list) and any(isinstance(tool, dict) and tool.get("type") == "mcp" for tool in tools)
    )


def check_mcp(body: Mapping[str, Any], *, allowed: bool) -> None:
    """Reject a request that uses MCP unless that is ``allowed``."""
    if not allowed and uses_mcp(body):
        raise Forbidden("integrations and MCP tools are switched off here (SHIM_ALLOW_MCP=1 allows them)")


def to_think(effort: Any) -> Think:
    """Return Ollama's value for an effort; raise Ollama's 400 for an unknown one."""
    if effort in (None, ""):
        return None
    if not isinstance(effort, str) or effort not in _EFFORTS:
        given = go_quote(effort) if isinstance(effort, str) else orjson.dumps(effort).decode()
        *most, last = map(go_quote, _EFFORTS)
        text = f"invalid reasoning value: {given} (must be {', '.join(most)}, or {last})"
        raise BadRequest(text, log_text="invalid reasoning value")
    return _EFFORTS[effort]


def adapt_chat(body: Mapping[str, Any], model: Model | None = None) -> Payload:
    """Return the chat as ``adapt`` does, with an effort that LM Studio knows; raise Ollama's 400 for an unknown one.

    Ollama reads the effort from ``reasoning.effort``, else from ``reasoning_effort``. LM Studio rejects both for a
    model that cannot think, so they are left out.
    """
    payload = adapt(body, model)
    reasoning = payload.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, dict) else None
    effort = payload.pop("reasoning_effort", None) if effort is None else effort
    if to_think(effort) is not None:
        payload["reasoning_effort"] = _UNKNOWN_TO_LM_STUDIO.get(effort, effort)
    if model is not None and model.reasoning is Support.NO:
        payload.pop("reasoning_effort", None)
        payload.pop("reasoning", None)
    return payload


def check_chat(body: Mapping[str, Any]) -> None:
    """Reject a chat without messages."""
    if not body.get("messages"):
        raise BadRequest("[] is too short - 'messages'")


def check_completion(body: Mapping[str, Any]) -> None:
    """Reject stop sequences that are not text."""
    stops = body.get("stop")
    for stop in stops if isinstance(stops, list) else ():
        if not isinstance(stop, str):
            raise BadRequest(f"invalid type for 'stop' field: {GO_TYPES.get(type(stop), '<nil>')}")


def _repair_tool_choice(payload: Payload) -> None:
    """Offer only the chosen or allowed tools, and name the mode: LM Studio rejects objects (page-agent#613)."""
    choice = payload["tool_choice"]
    allowed = choice.get("allowed_tools")
    if isinstance(allowed, dict):
        mode, chosen = allowed.get("mode"), allowed.get("tools")
    else:
        mode, chosen = choice.get("type"), [choice]
    payload["tool_choice"] = mode if mode in ("auto", "none") else "required"
    names = {_tool_name(tool) for tool in chosen} - {None} if isinstance(chosen, list) else set()
    if isinstance(payload.get("tools"), list) and names:
        payload["tools"] = [tool for tool in payload["tools"] if _tool_name(tool) in names] or payload["tools"]


def _tool_name(tool: Any) -> str | None:
    """Return the name in a tool or in a choice of one, which the Responses API does not nest in a function."""
    if not isinstance(tool, dict):
        return None
    function = tool.get("function")
    name = function.get("name") if isinstance(function, dict) else tool.get("name")
    return name if isinstance(name, str) else None
