"""Translate the items of a Responses input into chat turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from flask_shim.errors import BadRequest
from flask_shim.translate.chat_turns import Part, Turn, TurnBuilder, image_part, text_or_empty, text_part
from flask_shim.translate.ollama.quoting import go_quote
from flask_shim.translate.openai.responses_tools import CUSTOM_PARAMETER, function_name

Item = Mapping[str, Any]

_ENCRYPTED = "gAAAA"
"""The start of what OpenAI's servers have encrypted."""


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
        raise BadRequest(
            "item_reference is not supported, because this server stores no items: send the item itself (AI SDK: set "
            "providerOptions.openai.store to false)"
        )
    if kind in _NOT_FOR_MODELS:
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


def _agent_message(turns: TurnBuilder, item: Item) -> None:
    """Add what another agent of Codex has sent: to the model that reads it, a request."""
    turns.user(_parts(item.get("content")))


def _call(turns: TurnBuilder, item: Item) -> None:
    is_custom = item.get("type") == "custom_tool_call"
    arguments = {CUSTOM_PARAMETER: text_or_empty(item.get("input"))} if is_custom else item.get("arguments")
    name = function_name(text_or_empty(item.get("name")), text_or_empty(item.get("namespace")))
    turns.call(_call_id(item), name, arguments if isinstance(arguments, str) else _json(arguments))


def _built_in_call(turns: TurnBuilder, item: Item) -> None:
    """Add a call of a tool that OpenAI's API knows by its type, such as ``local_shell``."""
    given = item.get("action") or item.get("operation")
    fields = given.items() if isinstance(given, dict) else ()
    arguments = {name: value for name, value in fields if value and (name, value) != ("type", "exec")}
    turns.call(_call_id(item), str(item["type"]).removesuffix("_call"), _json(arguments))


def _output(turns: TurnBuilder, item: Item) -> None:
    output = item.get("output")
    is_content = isinstance(output, str) or (isinstance(output, list) and all(map(_is_part, output)))
    turns.result(_call_id(item), _parts(output) if is_content else [text_part(_json(output))])


def _reasoning(turns: TurnBuilder, item: Item) -> None:
    lists = [item[name] for name in ("summary", "content") if isinstance(item.get(name), list)]
    text = "\n".join(text_or_empty(part.get("text")) for parts in lists for part in parts if isinstance(part, dict))
    turns.think(text or _unless_encrypted(item))


_NOT_FOR_MODELS = (
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
    "tool_search_call",
    "tool_search_output",
    "program",
    "program_output",
    "compaction",
    "context_compaction",
    "additional_tools",
    "configuration_update",
)
"""Calls that OpenAI's servers ran, together with their results, what they encrypted, and settings.

Agents that change the model in the middle of a session send them to the new one.
"""

_ITEMS: dict[Any, Callable[[TurnBuilder, Item], None]] = {
    "message": _message,
    "agent_message": _agent_message,
    "function_call": _call,
    "function_call_output": _output,
    "custom_tool_call": _call,
    "custom_tool_call_output": _output,
    "local_shell_call": _built_in_call,
    "local_shell_call_output": _output,
    "shell_call": _built_in_call,
    "shell_call_output": _output,
    "apply_patch_call": _built_in_call,
    "apply_patch_call_output": _output,
    "reasoning": _reasoning,
}


def _parts(content: Any) -> list[Part]:
    if isinstance(content, list):
        return [_part(part) for part in content if isinstance(part, dict)]
    return [text_part(content)] if isinstance(content, str) and content else []


def _is_part(value: Any) -> bool:
    return isinstance(value, dict) and "type" in value


def _part(part: Mapping[str, Any]) -> Part:
    kind = part.get("type")
    if kind in ("input_text", "output_text", "text", "refusal"):
        return text_part(text_or_empty(part.get("text") or part.get("refusal")))
    if kind == "input_image":
        image = part.get("image_url")
        return image_part(text_or_empty(image.get("url") if isinstance(image, dict) else image))
    if kind == "encrypted_content":
        return text_part(_unless_encrypted(part))
    if kind == "input_file":
        raise BadRequest("file inputs are not currently supported")
    raise BadRequest(f"unknown content type: {kind}", log_text="unknown content type")


def _unless_encrypted(holder: Mapping[str, Any]) -> str:
    """Return ``encrypted_content``, which is plain text in the answers of Ollama and of the shim, and in Codex."""
    content = text_or_empty(holder.get("encrypted_content"))
    return "" if content.startswith(_ENCRYPTED) else content


def _call_id(item: Item) -> str:
    return text_or_empty(item.get("call_id") or item.get("id"))


def _json(value: Any) -> str:
    return "" if value is None else orjson.dumps(value).decode()
