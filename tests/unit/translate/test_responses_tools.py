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


SHELL = {"type": "local_shell"}


def test_the_local_shell_is_offered_as_a_function():
    request = ResponsesRequest(model="tiny", tools=(SHELL, READ))
    assert [function["name"] for function in request.functions] == ["local_shell", "read"]
    assert request.functions[0]["parameters"]["required"] == ["command"]
    assert request.left_out == ()


@pytest.mark.parametrize(
    ("tools", "names"),
    [
        ((READ, READ), ["read"]),
        ((READ, {**PATCH, "name": "read"}), ["read", "read_"]),
        ((SHELL, {**READ, "name": "local_shell"}, SHELL), ["local_shell", "local_shell_"]),
        (
            (
                {"type": "namespace", "name": "a", "tools": [{**READ, "name": "b__c"}]},
                {"type": "namespace", "name": "a__b", "tools": [{**READ, "name": "c"}]},
                {**READ, "name": "a__b__c"},
            ),
            ["a__b__c", "a__b__c_", "a__b__c__"],
        ),
    ],
)
def test_no_tool_is_lost_to_another_one_of_the_same_name(tools, names):
    request = ResponsesRequest(model="tiny", tools=tools)
    assert [function["name"] for function in request.functions] == names
    assert list(request.offered_tools) == names
    assert len(set(request.offered_tools.values())) == len(names)


def test_of_equal_tools_the_last_one_is_offered():
    later = {**READ, "description": "later"}
    assert ResponsesRequest(model="tiny", tools=(READ, PATCH, later)).functions[0]["description"] == "later"


@pytest.mark.parametrize("tools", ["x", None, [], [5], [{"type": "function"}]])
def test_a_namespace_without_usable_tools_offers_nothing(tools):
    request = ResponsesRequest(model="tiny", tools=({"type": "namespace", "name": "n", "tools": tools},))
    assert (request.functions, request.left_out) == ((), ("namespace",))


@pytest.mark.parametrize(
    ("choice", "offered"),
    [
        ({"type": "custom", "name": "apply_patch"}, ["apply_patch"]),
        ({"type": "local_shell"}, ["local_shell"]),
        ({"type": "function", "name": "read", "namespace": "mcp__files"}, ["mcp__files__read"]),
    ],
)
def test_any_offered_tool_can_be_chosen(choice, offered):
    sent = payload(tools=(READ, PATCH, FILES, SHELL), tool_choice=choice)
    assert sent["tool_choice"] == "required"
    assert [tool["function"]["name"] for tool in sent["tools"]] == offered


def test_calls_of_the_history_have_the_names_that_are_offered():
    items = [
        {"type": "function_call", "call_id": "c1", "namespace": "mcp__files", "name": "read", "arguments": ""},
        {"type": "custom_tool_call", "call_id": "c2", "name": "apply_patch", "input": "*** Begin"},
        {
            "type": "local_shell_call",
            "call_id": "c3",
            "action": {"type": "exec", "command": ["ls"], "env": {}, "timeout_ms": 9, "user": None},
        },
        {"type": "local_shell_call", "call_id": "c4", "action": None},
    ]
    request = ResponsesRequest(model="tiny", input=items, tools=(FILES, PATCH))
    (turn,) = to_payload(request, Model(key="k"), Defaults())["messages"]
    assert [call["function"] for call in turn["tool_calls"]] == [
        {"name": "mcp__files__read", "arguments": "{}"},
        {"name": "apply_patch", "arguments": '{"input":"*** Begin"}'},
        {"name": "local_shell", "arguments": '{"command":["ls"],"timeout_ms":9}'},
        {"name": "local_shell", "arguments": "{}"},
    ]
