"""Bare texts become what the parameters of a tool want."""

from __future__ import annotations

import pytest

from flask_shim.translate.answer.call_forms import WrittenCall
from flask_shim.translate.answer.tool_schemas import ToolSchemas, to_schemas


def typed(text, schema):
    call = WrittenCall("f", {"a": text}, is_text=True)
    return ToolSchemas({"f": {"properties": {"a": schema}}}).typed_arguments("f", call)["a"]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", "12345", "12345"),
        ("string", "true", "true"),
        ("string", '{"name": "x", "version": 1.0}', '{"name": "x", "version": 1.0}'),
        ("string", "  two  ", "  two  "),
        ("integer", " 12 ", 12),
        ("integer", "1.5", "1.5"),
        ("integer", "true", "true"),
        ("number", "1.5", 1.5),
        ("number", "2", 2),
        ("boolean", "True", True),
        ("boolean", "false", False),
        ("boolean", "1", "1"),
        ("array", "[1]", [1]),
        ("object", '{"a": 1}', {"a": 1}),
        ("object", "{", "{"),
        ("string", "null", None),
        ("nonsense", "1", "1"),
    ],
)
def test_a_text_becomes_a_value_of_the_type_that_is_wanted(kind, text, value):
    assert typed(text, {"type": kind}) == value
    assert type(typed(text, {"type": kind})) is type(value)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": ["string", "integer"]},
        {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        {"oneOf": [{"type": ["null", "integer"]}]},
    ],
)
def test_of_several_types_the_matching_one_is_used(schema):
    assert typed("5", schema) == 5
    assert typed("five", schema) == "five"


@pytest.mark.parametrize("schema", [{}, None, "string", {"type": None}, {"type": 5}, {"anyOf": "x"}, {"anyOf": [None]}])
def test_without_a_type_a_text_stays_text(schema):
    assert typed("5", schema) == "5"


def test_parameters_that_no_schema_names_stay_text():
    assert ToolSchemas({"f": {}}).typed_arguments("f", WrittenCall("f", {"b": "5"}, is_text=True)) == {"b": "5"}


def test_schemas_are_found_where_openai_and_anthropic_have_them():
    schema = {"type": "object"}
    tools = [{"name": "a", "parameters": schema}, {"name": "b", "input_schema": schema}, {"name": "c"}]
    assert to_schemas(tools) == {"a": schema, "b": schema, "c": {}}
