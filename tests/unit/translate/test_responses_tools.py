"""The tools of a Responses request, offered as functions."""

from __future__ import annotations

import pytest

from flask_shim.lmstudio.model import Model
from flask_shim.translate.ollama.payloads import Defaults
from flask_shim.translate.openai.responses_request import ResponsesRequest, to_payload
from flask_shim.translate.openai.responses_tools import OfferedTool, function_name

READ = {"type": "function", "name": "read", "description": "d", "parameters": {}, "strict": None}
PATCH = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Patches.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"},
}
FILES = {"type": "namespace", "name": "mcp__files", "description": "Files.", "tools": [READ, PATCH, "odd"]}


def payload(**fields):
    return to_payload(ResponsesRequest(model="tiny", input="hi", **fields), Model(key="k"), Defaults())


@pytest.mark.parametrize(
    ("namespace", "name"), [("", "read"), ("files", "files__read"), ("mcp__files__", "mcp__files__read")]
)
def test_a_namespace_is_part_of_the_offered_name(namespace, name):
    assert function_name("read", namespace) == name


def test_members_of_a_namespace_are_offered_as_functions():
    request = ResponsesRequest(model="tiny", tools=(READ, FILES, {"type": "web_search"}))
    assert [function["name"] for function in request.functions] == [
        "read",
        "mcp__files__read",
        "mcp__files__apply_patch",
    ]
    assert request.offered_tools == {
        "read": OfferedTool("read"),
        "mcp__files__read": OfferedTool("read", "mcp__files"),
        "mcp__files__apply_patch": OfferedTool("apply_patch", "mcp__files", "custom"),
    }
    assert request.left_out == ("web_search",)


def test_a_custom_tool_is_a_function_with_one_text():
    (tool,) = payload(tools=(PATCH,))["tools"]
    assert tool["function"] == {
        "name": "apply_patch",
        "description": "Patches.\n\nThe input must match this grammar:\nstart: x",
        "parameters": {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]},
    }


@pytest.mark.parametrize("tools", ["x", None, [], [5], [{"type": "function"}]])
def test_a_namespace_without_usable_tools_offers_nothing(tools):
    request = ResponsesRequest(model="tiny", tools=({"type": "namespace", "name": "n", "tools": tools},))
    assert (request.functions, request.left_out) == ((), ("namespace",))


@pytest.mark.parametrize(
    ("choice", "offered"),
    [
        ({"type": "custom", "name": "apply_patch"}, ["apply_patch"]),
        ({"type": "function", "name": "read", "namespace": "mcp__files"}, ["mcp__files__read"]),
    ],
)
def test_any_offered_tool_can_be_chosen(choice, offered):
    sent = payload(tools=(READ, PATCH, FILES), tool_choice=choice)
    assert sent["tool_choice"] == "required"
    assert [tool["function"]["name"] for tool in sent["tools"]] == offered


def test_calls_of_the_history_have_the_names_that_are_offered():
    items = [
        {"type": "function_call", "call_id": "c1", "namespace": "mcp__files", "name": "read", "arguments": ""},
        {"type": "custom_tool_call", "call_id": "c2", "name": "apply_patch", "input": "*** Begin"},
    ]
    request = ResponsesRequest(model="tiny", input=items, tools=(FILES, PATCH))
    (turn,) = to_payload(request, Model(key="k"), Defaults())["messages"]
    assert [call["function"] for call in turn["tool_calls"]] == [
        {"name": "mcp__files__read", "arguments": "{}"},
        {"name": "apply_patch", "arguments": '{"input":"*** Begin"}'},
    ]
