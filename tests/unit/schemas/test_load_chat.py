"""What a chat ask holds: the conversation, its tools, and field names in any case."""

from __future__ import annotations

import json

import pytest

from flask_shim.schemas import ollama_requests as schemas
from flask_shim.translate.ollama.requests import ChatRequest, Message, ToolCall


def raw(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def test_a_chat_keeps_every_field():
    call = {"id": "x", "type": "function", "function": {"index": 0, "name": "f", "arguments": {"b": 1, "a": 2}}}
    body = raw(
        model="plain",
        messages=[
            {"role": "System", "content": "Be brief."},
            {"role": "user", "content": "hi", "images": ["aGVsbG8="]},
            {"role": "assistant", "thinking": "Let me", "tool_calls": [call]},
            {"role": "TOOL", "content": "res", "tool_name": "f", "tool_call_id": "x"},
        ],
        stream=False,
        format="json",
        keep_alive="5m",
        options={"temperature": 0, "bogus": None},
        think="low",
        truncate=False,
        shift=False,
        logprobs=True,
        top_logprobs=20,
        _debug_render_only=True,
    )
    assert schemas.load_chat(body) == ChatRequest(
        model="plain",
        messages=(
            Message(role="system", content="Be brief."),
            Message(role="user", content="hi", images=("aGVsbG8=",)),
            Message(role="assistant", thinking="Let me", tool_calls=(ToolCall("f", {"b": 1, "a": 2}, id="x"),)),
            Message(role="tool", content="res", tool_name="f", tool_call_id="x"),
        ),
        stream=False,
        format="json",
        keep_alive=300.0,
        options={"temperature": 0, "bogus": None},
        think="low",
        truncate=False,
        shift=False,
        logprobs=True,
        top_logprobs=20,
        debug_render_only=True,
    )


def test_arguments_keep_their_order():
    body = raw(messages=[{"tool_calls": [{"function": {"arguments": {"z": 1, "a": 2}}}]}])
    assert list(schemas.load_chat(body).messages[0].tool_calls[0].arguments) == ["z", "a"]


@pytest.mark.parametrize("function", [{"name": "f"}, {"name": "f", "arguments": None}])
def test_a_call_without_arguments_has_empty_ones(function):
    body = raw(messages=[{"tool_calls": [{"function": function}]}])
    assert schemas.load_chat(body).messages[0].tool_calls == (ToolCall("f", {}),)


@pytest.mark.parametrize("message", [None, {}, {"role": None, "content": None, "images": [], "tool_calls": None}])
def test_a_message_of_nothing_is_a_message(message):
    assert schemas.load_chat(raw(messages=[message])).messages == (Message(role=""),)


@pytest.mark.parametrize("messages", [None, []])
def test_a_chat_without_messages_is_a_load_request(messages):
    assert schemas.load_chat(raw(model="plain", messages=messages)).messages == ()


@pytest.mark.parametrize("key", ["MODEL", "Model", "mOdEl"])
def test_field_names_may_be_in_any_case(key):
    assert schemas.load_chat(raw(**{key: "plain"})).model == "plain"


def test_field_names_fold_like_in_go():
    assert schemas.load_chat('{"\u017ftream":false,"\u212aeep_alive":0,"meßages":1}'.encode()) == ChatRequest(
        model="", stream=False, keep_alive=0.0
    )


def test_the_last_spelling_of_a_name_wins_and_null_is_ignored():
    assert schemas.load_chat(b'{"model":"a","MODEL":"b","Model":null}').model == "b"


def test_unknown_fields_are_ignored_at_every_level():
    body = raw(
        model="plain",
        integrations=["mcp/x"],
        plugins=1,
        tool_choice="auto",
        messages=[{"role": "user", "content": "hi", "name": 5, "cache_control": {}}],
        tools=[{"type": "mcp", "server_url": "http://x", "function": {"name": "f", "strict": True}}],
    )
    ask = schemas.load_chat(body)
    assert ask.messages == (Message(role="user", content="hi"),)
    assert ask.tools == ({"type": "function", "function": {"name": "f"}},)


SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "city": {"type": ["string", "null"], "default": "x", "enum": ["a", 1], "minimum": 3},
        "list": {"type": "array", "items": {"type": "string"}},
        "any": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "ref": {"$ref": "#/$defs/X"},
        "none": None,
        "deep": {
            "type": "object",
            "properties": {"inner": {"type": "string", "pattern": "["}, "void": {}},
            "required": [],
        },
    },
    "required": ["city"],
    "$defs": {"X": {"type": "string", "minLength": 1}},
}
KNOWN = {
    "type": "object",
    "$defs": {"X": {"type": "string", "minLength": 1}},
    "required": ["city"],
    "properties": {
        "city": {"type": ["string", "null"], "enum": ["a", 1]},
        "list": {"type": "array", "items": {"type": "string"}},
        "any": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "ref": {},
        "none": {},
        "deep": {"type": "object", "properties": {"inner": {"type": "string"}, "void": {}}},
    },
}


def test_a_tool_keeps_the_keywords_of_ollama(caplog):
    caplog.set_level("DEBUG")
    tool = {"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA}}
    read = schemas.load_chat(raw(tools=[tool])).tools[0]["function"]
    assert json.loads(json.dumps(read)) == {"name": "f", "description": "d", "parameters": KNOWN}
    assert list(read["parameters"]["properties"]) == list(SCHEMA["properties"])
    assert caplog.messages == [
        "dropped from the parameters of a tool: $ref, additionalProperties, default, minimum, pattern"
    ]


@pytest.mark.parametrize(
    ("tools", "read"),
    [
        (None, ()),
        ([], ()),
        ([None], ({"type": "function", "function": {"name": ""}},)),
        ([{"type": "function"}], ({"type": "function", "function": {"name": ""}},)),
        ([{"function": {"name": "f", "parameters": None}}], ({"type": "function", "function": {"name": "f"}},)),
        (
            [{"function": {"name": "f", "parameters": {}}}],
            ({"type": "function", "function": {"name": "f", "parameters": {"properties": {}}}},),
        ),
    ],
)
def test_a_tool_is_a_function_with_a_name_and_nothing_it_did_not_have(tools, read):
    assert schemas.load_chat(raw(tools=tools)).tools == read
