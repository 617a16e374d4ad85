"""An answer is checked against its schema, within bounds for time."""

from __future__ import annotations

import json

import pytest

from flask_shim.translate.answer_validation import fault_in_answer
from flask_shim.translate.structured_output import schema_of, with_correction, with_engine_schemas

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("schema", "value", "keyword"),
    [
        (PERSON, {"name": "Ann", "age": 3}, None),
        (PERSON, {"age": 3}, "required"),
        (PERSON, {"name": "Ann", "age": "3"}, "type"),
        (PERSON, {"name": "Ann", "x": 1}, "additionalProperties"),
        ({"type": "object"}, [], "type"),
        ({"type": "string", "pattern": "^[0-9]+$"}, "12a", "pattern"),
        ({"type": "string", "pattern": "^(?=x)(a+)+$"}, "ab", None),  # too slow to check
        ({"type": "string", "pattern": r"^\p{L}$"}, "1", None),  # no pattern of Python
        ({"type": "string", "format": "email"}, "Ann", None),
        ({"type": "number", "multipleOf": 0.5}, 0.75, "multipleOf"),
        ({"type": "banana"}, 1, None),  # no valid schema
        ({"$ref": "https://schemas.test/a"}, 1, None),  # nothing is requested
        ({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}, 1, None),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}]}, [1], "type"),
    ],
)
def test_the_keyword_that_an_answer_violates_is_found(schema, value, keyword):
    fault = fault_in_answer(schema, json.dumps(value))
    assert (fault and fault[0]) == keyword


@pytest.mark.parametrize("text", ["", "Sure!", '```json\n{"name": "Ann"}\n```', '{"name": '])
def test_an_answer_that_is_not_json_has_a_fault(text):
    assert fault_in_answer(PERSON, text)[0] == "JSON"


def test_a_check_that_would_take_exponential_time_is_given_up():
    node = {"type": "object", "properties": {"n": {"anyOf": [{"$ref": "#/$defs/N"}] * 2}}, "required": ["x"]}
    value = {}
    for _ in range(40):
        value = {"n": value, "x": 1}
    assert fault_in_answer({"$ref": "#/$defs/N", "$defs": {"N": node}}, json.dumps(value)) is None


def payload(schema, **more):
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}
    return {"messages": [{"role": "user", "content": "Hi"}], "response_format": wanted, **more}


def test_a_request_without_a_schema_stays_as_it_is():
    odd = {"type": "json_schema", "json_schema": {"schema": 1}}
    for wanted in (None, {"type": "text"}, {"type": "json_schema"}, "json", odd):
        request = {"response_format": wanted}
        assert schema_of(request) is None
        assert with_engine_schemas(request) == (request, [])


def test_the_engine_gets_the_trimmed_schema_under_its_name():
    request = payload({"type": "string", "format": "email"}, temperature=0)
    assert with_engine_schemas(request) == (
        payload({"type": "string"}, temperature=0),
        ["response_format.format"],
    )


def test_the_second_attempt_contains_the_fault():
    again = with_correction(payload(PERSON, seed=1), "{}", "$: 'name' is missing")
    assert "seed" not in again
    assert again["messages"][1] == {"role": "assistant", "content": "{}"}
    assert "$: 'name' is missing" in again["messages"][2]["content"]


def test_a_prompt_without_turns_is_repeated_without_its_seed():
    assert with_correction({"prompt": "Hi", "seed": 1}, "{}", "x") == {"prompt": "Hi"}


PARAMETERS = [
    ({"type": "object", "properties": {"pattern": {"type": "string", "default": True}}}, None, ""),
    ({"properties": {"a": {"type": ["string", "null"], "format": "uri", "minimum": 0.5}}}, None, ""),
    ({"properties": {"a": {"pattern": "\\S"}}}, {"properties": {"a": {}}}, "pattern"),
    ({"properties": {"a": {"pattern": "^\\d$"}}}, {"properties": {"a": {"pattern": "^[0-9]$"}}}, ""),
    ({"items": {"maxLength": 5000, "maximum": 1e30}}, {"items": {}}, "maxLength maximum"),
    ({"properties": {"a": True}, "items": True, "enum": []}, {"properties": {"a": {}}, "items": {}}, "enum"),
    (
        {"prefixItems": [{}], "items": False, "additionalProperties": True},
        {"prefixItems": [{}], "additionalProperties": True},
        "items",
    ),
]


@pytest.mark.parametrize(("given", "readable", "dropped"), PARAMETERS)
def test_parameters_of_tools_lose_only_what_engines_reject(given, readable, dropped):
    def tools(parameters):
        return {"tools": [{"type": "function", "function": {"name": "f", "parameters": parameters}}, "odd"]}

    names = [f"tools.{name}" for name in dropped.split()]
    assert with_engine_schemas(tools(given)) == (tools(given if readable is None else readable), names)
