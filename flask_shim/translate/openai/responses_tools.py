"""Offer the tools of a Responses request to a model as functions, and remember how the client knows them.

Codex groups the tools of an MCP server in a ``namespace``, and has ``custom`` tools whose input is one text instead of
JSON. Chat completions have neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

Tool = Mapping[str, Any]

CUSTOM_PARAMETER = "input"
"""The only parameter of a custom tool that is offered as a function."""


class OfferedTool(NamedTuple):
    """How the client knows a tool that was offered to the model as a function of another name or kind."""

    name: str
    namespace: str = ""
    kind: str = "function"
    """``function`` or ``custom``: a custom tool takes one text, which the model gives as its only argument."""


OfferedTools = Mapping[str, OfferedTool]
"""By the name under which the model was offered the tool."""


def function_name(name: str, namespace: str = "") -> str:
    """Return the name under which a tool is offered."""
    separator = "" if not namespace or namespace.endswith("__") else "__"
    return f"{namespace}{separator}{name}"


def to_functions(tools: Iterable[Tool]) -> tuple[Tool, ...]:
    """Return the tools as functions; those that only OpenAI's servers can run are left out."""
    return tuple({function["name"]: function for function, _ in _offer(tools)}.values())


def to_offered_tools(tools: Iterable[Tool]) -> OfferedTools:
    """Return how the client knows each function that :func:`to_functions` returns."""
    return {function["name"]: known for function, known in _offer(tools)}


def kinds_left_out(tools: Iterable[Tool]) -> tuple[str, ...]:
    """Return the kinds of the tools that are not offered."""
    return tuple(str(tool.get("type")) for tool in tools if not any(_offer([tool])))


def _offer(tools: Iterable[Tool], namespace: str = "") -> Iterator[tuple[Tool, OfferedTool]]:
    for tool in tools:
        kind, name = tool.get("type"), tool.get("name")
        if not isinstance(name, str) or not name:
            continue
        if kind == "namespace" and not namespace:
            members = tool.get("tools")
            yield from _offer(filter(_is_object, members if isinstance(members, list) else ()), name)
        elif kind in ("function", "custom"):
            function = _custom_function(tool) if kind == "custom" else tool
            yield {**function, "name": function_name(name, namespace)}, OfferedTool(name, namespace, kind)


def _is_object(tool: Any) -> bool:
    return isinstance(tool, Mapping)


def _custom_function(tool: Tool) -> Tool:
    """Return a custom tool as a function with one text; its grammar goes into the description."""
    syntax = tool.get("format")
    grammar = syntax.get("definition") if isinstance(syntax, Mapping) else None
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
