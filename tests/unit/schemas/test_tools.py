"""Tools keep the keywords that Ollama knows."""

from __future__ import annotations

import json

import pytest

from flask_shim.schemas.ollama_requests import load_chat


def read_tools(tools):
    return load_chat(json.dumps({"tools": tools}).encode()).tools


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
    read = read_tools([tool])[0]["function"]
    assert json.loads(json.dumps(read)) == {"name": "f", "description": "d", "parameters": KNOWN}
    assert list(read["parameters"]["properties"]) == list(SCHEMA["properties"])
    assert caplog.messages == ["dropped from a tool: $ref, additionalProperties, default, minimum, pattern"]


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
    assert read_tools(tools) == read
