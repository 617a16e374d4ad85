"""Translate the items of a Responses input into chat turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from flask_shim.errors import BadRequest
from flask_shim.translate.chat_turns import Part, Turn, TurnBuilder, image_part, text_or_empty, text_part
from flask_shim.translate.ollama.quoting import go_quote
from flask_shim.translate.openai.responses_tools import CUSTOM_PARAMETER, LOCAL_SHELL, function_name

Item = Mapping[str, Any]

_ENCRYPTED = "gAAAA"
"""The start of thinking that OpenAI's servers have encrypted."""


def to_turns(instructions: str | None, given: str | list[Any] | None) -> list[Turn]:
    """Return instructions and input as one conversation; raise Ollama's 400 for an unknown item."""
    turns = TurnBuilder()
    turns.system(instructions or "")
    if isinstance(given, str):
        turns.user(_parts(given))
    else:
        for index, item in enumerate(given or ()):
            _add(turns, item, f"input[{index}]")
    return turns.turns


def _add(turns: TurnBuilder, item: Any, place: str) -> None:
    if not isinstance(item, dict):
        raise BadRequest(f"{place}: an input item must be an object")
    kind = item.get("type") or ("message" if item.get("role") else None)
    if kind is None:
        raise BadRequest(f"{place}: input item missing required 'type' field")
    if kind == "item_reference":
        raise BadRequest("item_reference is not supported, because this server stores no items: send the item itself")
    if kind in _RUN_ELSEWHERE:
        return
    add = _ITEMS.get(kind) if isinstance(kind, str) else None
    if add is None:
        text = f"{place}: unknown input item type"
        raise BadRequest(f"{text}: {go_quote(str(kind))}", log_text=text)
    add(turns, item)


def _message(turns: TurnBuilder, item: Item) -> None:
    role, parts = item.get("role"), _parts(item.get("content"))
    if role == "user":
        turns.user(parts)
        return
    text = "\n".join(part["text"] for part in parts if part["type"] == "text")
    (turns.assistant if role == "assistant" else turns.system)(text)


def _call(turns: TurnBuilder, item: Item) -> None:
    is_custom = item.get("type") == "custom_tool_call"
    arguments = {CUSTOM_PARAMETER: text_or_empty(item.get("input"))} if is_custom else item.get("arguments")
    name = function_name(text_or_empty(item.get("name")), text_or_empty(item.get("namespace")))
    turns.call(_call_id(item), name, arguments if isinstance(arguments, str) else _json(arguments))


def _shell_call(turns: TurnBuilder, item: Item) -> None:
    action = item.get("action")
    given = action if isinstance(action, dict) else {}
    arguments = {name: value for name, value in given.items() if value and name != "type"}
    turns.call(_call_id(item), LOCAL_SHELL, _json(arguments))


def _output(turns: TurnBuilder, item: Item) -> None:
    output = item.get("output")
    turns.result(_call_id(item), _parts(output) if isinstance(output, str | list) else [text_part(_json(output))])


def _reasoning(turns: TurnBuilder, item: Item) -> None:
    lists = [item[name] for name in ("summary", "content") if isinstance(item.get(name), list)]
    text = "\n".join(text_or_empty(part.get("text")) for parts in lists for part in parts if isinstance(part, dict))
    encrypted = text_or_empty(item.get("encrypted_content"))  # plain text in Ollama's answers and ours
    turns.think(text or ("" if encrypted.startswith(_ENCRYPTED) else encrypted))


_RUN_ELSEWHERE = (
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "image_generation_call",
    "computer_call",
    "computer_call_output",
    "mcp_list_tools",
    "mcp_call",
    "mcp_approval_request",
    "mcp_approval_response",
)
"""Calls that OpenAI's servers ran, together with their results."""

_ITEMS: dict[Any, Callable[[TurnBuilder, Item], None]] = {
    "message": _message,
    "function_call": _call,
    "function_call_output": _output,
    "custom_tool_call": _call,
    "custom_tool_call_output": _output,
    "local_shell_call": _shell_call,
    "local_shell_call_output": _output,
    "reasoning": _reasoning,
}


def _parts(content: Any) -> list[Part]:
    if isinstance(content, list):
        return [_part(part) for part in content if isinstance(part, dict)]
    return [text_part(content)] if isinstance(content, str) and content else []


def _part(part: Mapping[str, Any]) -> Part:
    kind = part.get("type")
    if kind in ("input_text", "output_text", "text", "refusal"):
        return text_part(text_or_empty(part.get("text") or part.get("refusal")))
    if kind == "input_image":
        image = part.get("image_url")
        return image_part(text_or_empty(image.get("url") if isinstance(image, dict) else image))
    if kind == "input_file":
        raise BadRequest("file inputs are not currently supported")
    raise BadRequest(f"unknown content type: {kind}", log_text="unknown content type")


def _call_id(item: Item) -> str:
    return text_or_empty(item.get("call_id") or item.get("id"))


def _json(value: Any) -> str:
    return "" if value is None else orjson.dumps(value).decode()
