"""OpenAI-style requests made acceptable to LM Studio; everything it understands stays as it is. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from flask_shim.errors import Forbidden
from flask_shim.translate.ollama.images import to_data_url
from flask_shim.translate.ollama.payloads import Payload, to_response_format, to_tool

_CONVERTIBLE = ("data:image/webp", "data:image/gif", "data:image/bmp", "data:image/tiff")
"""Kinds of pictures LM Studio refuses though it could be given them as PNG."""


def adapt(body: Mapping[str, Any]) -> Payload:
    """Return the request with what LM Studio would refuse put into words it takes; equal to ``body`` without such."""
    payload = {key: value for key, value in body.items() if value is not None}
    for key, change in _CHANGES:
        if key in payload:
            change(payload)
    return payload


def uses_mcp(body: Mapping[str, Any]) -> bool:
    """Tell whether the request would have LM Studio call programs or servers of somebody's choice."""
    tools = body.get("tools")
    return bool(body.get("integrations") or body.get("plugins") or body.get("mcp_servers")) or (
        isinstance(tools, list) and any(isinstance(tool, Mapping) and tool.get("type") == "mcp" for tool in tools)
    )


def check_mcp(body: Mapping[str, Any], *, allowed: bool) -> None:
    """Refuse a request that uses MCP unless that is ``allowed``."""
    if not allowed and uses_mcp(body):
        raise Forbidden("integrations and MCP tools are switched off here (SHIM_ALLOW_MCP=1 allows them)")


def _response_format(payload: Payload) -> None:
    wish = payload["response_format"]
    if isinstance(wish, Mapping) and wish.get("type") == "json_object":
        payload["response_format"] = to_response_format("json")


def _tool_choice(payload: Payload) -> None:
    """Offer only the tool that is to be called, and require a call: LM Studio takes no objects here."""
    choice = payload["tool_choice"]
    if not isinstance(choice, Mapping):
        return
    name = _tool_name(choice)
    payload["tool_choice"] = "required"
    if isinstance(payload.get("tools"), list) and name:
        payload["tools"] = [tool for tool in payload["tools"] if _tool_name(tool) == name] or payload["tools"]


def _tool_name(tool: Any) -> Any:
    """Return the name in a tool or in a choice of one; the newer API has it without a function around."""
    if not isinstance(tool, Mapping):
        return None
    function = tool.get("function")
    return function.get("name") if isinstance(function, Mapping) else tool.get("name")


def _tools(payload: Payload) -> None:
    tools = payload["tools"]
    if not isinstance(tools, list):
        return
    payload["tools"] = [
        to_tool(tool) if isinstance(tool, Mapping) and isinstance(tool.get("function"), Mapping) else tool
        for tool in tools
    ]


def _limit(payload: Payload) -> None:
    payload.setdefault("max_tokens", payload["max_completion_tokens"])  # older builds only know this name


def _stream_options(payload: Payload) -> None:
    if not payload.get("stream"):
        del payload["stream_options"]


def _messages(payload: Payload) -> None:
    messages = payload["messages"]
    if isinstance(messages, list):
        payload["messages"] = [_message(turn) if isinstance(turn, Mapping) else turn for turn in messages]


def _message(turn: Mapping[str, Any]) -> dict[str, Any]:
    message = dict(turn)
    if message.get("role") == "developer":
        message["role"] = "system"
    content = message.get("content")
    if content is None and (message.get("tool_calls") or message.get("role") == "tool"):
        message["content"] = ""
    elif isinstance(content, list):
        text_only = message.get("role") in ("system", "tool")
        message["content"] = _joined(content) if text_only else [_part(part) for part in content]
    return message


def _joined(parts: list[Any]) -> str:
    """Return the texts of a content list: these roles must have a string."""
    return "".join(str(part.get("text", "")) if isinstance(part, Mapping) else str(part) for part in parts)


def _part(part: Any) -> Any:
    image = part.get("image_url") if isinstance(part, Mapping) else None
    url = image.get("url") if isinstance(image, Mapping) else image
    if not isinstance(url, str) or not url.lower().startswith(_CONVERTIBLE):
        return part if not isinstance(image, str) else {**part, "image_url": {"url": url}}
    try:
        picture = base64.b64decode(url.partition(",")[2], validate=True)
    except binascii.Error:
        return part  # LM Studio says better what is wrong with it
    return {**part, "image_url": {"url": to_data_url(picture)}}


_CHANGES: tuple[tuple[str, Callable[[Payload], None]], ...] = (
    ("response_format", _response_format),
    ("tool_choice", _tool_choice),
    ("tools", _tools),
    ("max_completion_tokens", _limit),
    ("stream_options", _stream_options),
    ("messages", _messages),
)
