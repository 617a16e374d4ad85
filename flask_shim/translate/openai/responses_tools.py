"""Offer the tools of a Responses request to a model as functions, and keep how the client knows them.

Codex groups the tools of an MCP server in a ``namespace``, and has ``custom`` tools, whose input is one text instead of
JSON, and a ``local_shell``, which has no schema. Chat completions have none of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

Tool = Mapping[str, Any]

CUSTOM_PARAMETER = "input"
"""The only parameter of a custom tool that is offered as a function."""

LOCAL_SHELL = "local_shell"
_SHELL_FUNCTION: Tool = {
    "type": "function",
    "name": LOCAL_SHELL,
    "description": "Runs a command on the user's machine and returns its output.",
    "parameters": {
        "type": "object",
        "properties": {
            "command": {"type": "array", "items": {"type": "string"}, "description": "The program and its arguments."},
            "working_directory": {"type": "string"},
            "timeout_ms": {"type": "integer"},
        },
        "required": ["command"],
    },
}
"""The fields of a ``local_shell_call`` that a model can decide (OpenAI's API reference, "Local shell")."""


class OfferedTool(NamedTuple):
    """How the client knows a tool that was offered to the model as a function of another name or kind."""

    name: str
    namespace: str = ""
    kind: str = "function"
    """``function``, ``custom`` or ``local_shell``."""


OfferedTools = Mapping[str, OfferedTool]
"""By the name under which the model was offered the tool."""


def function_name(name: str, namespace: str = "") -> str:
    """Return the name under which a tool is offered."""
    separator = "" if not namespace or namespace.endswith("__") else "__"
    return f"{namespace}{separator}{name}"


def by_name(tools: Iterable[Tool]) -> dict[str, tuple[Tool, OfferedTool]]:
    """Return the tools as functions by unique names, and how the client knows each.

    Those that only OpenAI's servers can run are left out. Of equal tools the last one counts.
    """
    offered: dict[str, tuple[Tool, OfferedTool]] = {}
    for function, known in offer(tools):
        name = function["name"]
        while name in offered and offered[name][1] != known:
            name += "_"
        offered[name] = (function, known)
    return offered


def offer(tools: Iterable[Tool], namespace: str = "") -> Iterator[tuple[Tool, OfferedTool]]:
    """Yield the tools that a model can be offered."""
    for tool in tools:
        kind, name = tool.get("type"), tool.get("name")
        if kind == LOCAL_SHELL:
            yield _SHELL_FUNCTION, OfferedTool(LOCAL_SHELL, kind=LOCAL_SHELL)
        if not isinstance(name, str) or not name:
            continue
        if kind == "namespace" and not namespace:
            members = tool.get("tools")
            if isinstance(members, list):
                yield from offer([member for member in members if isinstance(member, dict)], name)
        elif kind in ("function", "custom"):
            function = _custom_function(tool) if kind == "custom" else tool
            yield {**function, "name": function_name(name, namespace)}, OfferedTool(name, namespace, kind)


def _custom_function(tool: Tool) -> Tool:
    """Return a custom tool as a function with one text; its grammar goes into the description."""
    syntax = tool.get("format")
    grammar = syntax.get("definition") if isinstance(syntax, dict) else None
    described = [tool.get("description"), grammar and f"The input must match this grammar:\n{grammar}"]
    return {
        "type": "function",
        "name": tool["name"],
        "description": "\n\n".join(str(text) for text in described if text),
        "parameters": {
            "type": "object",
            "properties": {CUSTOM_PARAMETER: {"type": "string"}},
            "required": [CUSTOM_PARAMETER],
        },
    }
