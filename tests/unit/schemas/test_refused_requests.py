"""Requests that are refused while they are read, and which of several faults is reported."""

from __future__ import annotations

import json

import pytest

from flask_shim.errors import BadRequest, ShimError
from flask_shim.schemas import ollama_requests as schemas

GO_TYPES = {
    "chat": "ChatRequest",
    "generate": "GenerateRequest",
    "embed": "EmbedRequest",
    "embeddings": "EmbeddingRequest",
    "show": "ShowRequest",
    "pull": "PullRequest",
    "push": "PushRequest",
    "create": "CreateRequest",
    "copy": "CopyRequest",
    "delete": "DeleteRequest",
}
PROPERTIES = "ToolFunctionParameters.tools.function.parameters.properties"


def complaint(route: str, body: object) -> str:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(BadRequest) as caught:
        getattr(schemas, f"load_{route}")(raw)
    assert caught.value.status == 400
    return caught.value.text


@pytest.mark.parametrize("route", GO_TYPES)
@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", "missing request body"),
        (b"{", "unexpected EOF"),
        (b"{a:1}", "invalid character 'a' looking for beginning of object key string"),
    ],
)
def test_every_route_rejects_what_is_not_json(route, raw, text):
    assert complaint(route, raw) == text


@pytest.mark.parametrize(("route", "go_type"), GO_TYPES.items())
def test_every_route_rejects_what_is_not_an_object(route, go_type):
    assert complaint(route, []) == f"json: cannot unmarshal array into Go value of type api.{go_type}"


@pytest.mark.parametrize(
    ("literal", "shown"),
    [
        ("1.50", "1.50"),
        ("3.0", "3.0"),
        ("1e3", "1e3"),
        ("9223372036854775808", "9223372036854775808"),
        ("99999999999999999999", "99999999999999999999"),
        ("1e400", "1e400"),
        ("7" * 5000, "7" * 100 + "…"),
    ],
)
def test_a_number_that_is_no_int_is_repeated_as_it_was_written(literal, shown):
    raw = b'{"model":"plain","context":[1,2],"top_logprobs":%s}' % literal.encode()
    expected = f"json: cannot unmarshal number {shown} into Go struct field GenerateRequest.top_logprobs of type int"
    assert complaint("generate", raw) == expected


def test_a_number_beyond_a_double_is_refused_where_any_type_may_stand():
    raw = b'{"model":"plain","options":{"temperature":1e400}}'
    assert complaint("generate", raw) == "json: cannot unmarshal number 1e400 into Go value of type float64"


@pytest.mark.parametrize("arguments", ['{"a":1}', [1], 5, True])
def test_arguments_that_are_no_object_are_refused(arguments):
    body = {"messages": [{"tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}]}
    assert complaint("chat", body) == "Value looks like object, but can't find closing '}' symbol"


def test_properties_that_are_no_object_are_refused():
    body = {"tools": [{"function": {"parameters": {"properties": ["city"]}}}]}
    assert complaint("chat", body) == "Value looks like object, but can't find closing '}' symbol"


def test_a_property_that_is_no_object_is_refused():
    body = {"tools": [{"function": {"parameters": {"properties": {"city": "string"}}}}]}
    expected = f"json: cannot unmarshal string into Go struct field {PROPERTIES} of type api.ToolProperty"
    assert complaint("chat", body) == expected


@pytest.mark.parametrize(
    ("body", "blamed"),
    [
        ({"stream": 1, "model": 1}, "stream"),
        ({"model": 1, "stream": 1}, "model"),
        ({"MODEL": 1, "stream": 1}, "model"),
        ({"model": 1, "messages": [{"role": 1}]}, "messages.role"),
        ({"messages": [{"content": 1, "role": 1}, {"role": 1}]}, "messages.content"),
    ],
)
def test_the_first_fault_is_reported_unless_a_type_reads_itself(body, blamed):
    assert f"ChatRequest.{blamed} of type" in complaint("chat", body)


def test_a_bad_keep_alive_is_reported_before_an_earlier_wrong_type():
    assert complaint("chat", {"model": 1, "keep_alive": "abc"}) == 'time: invalid duration "abc"'


def test_the_first_value_that_reads_itself_wins_over_the_next():
    body = {"think": 1, "keep_alive": "abc"}
    assert complaint("chat", body).startswith("think must be")


@pytest.mark.parametrize("top_logprobs", [-1, 21])
@pytest.mark.parametrize("route", ["chat", "generate"])
def test_top_logprobs_out_of_range_are_refused_whatever_the_model(route, top_logprobs):
    assert complaint(route, {"top_logprobs": top_logprobs}) == "top_logprobs must be between 0 and 20"


@pytest.mark.parametrize(
    ("license_", "text"),
    [
        (5, "json: cannot unmarshal number into Go value of type []string"),
        ({}, "json: cannot unmarshal object into Go value of type []string"),
        (["MIT", 5], "json: cannot unmarshal number into Go value of type string"),
    ],
)
def test_a_license_that_is_not_text_is_ollamas_500(license_, text):
    with pytest.raises(ShimError) as caught:
        schemas.load_create(json.dumps({"model": "m", "from": "plain", "license": license_}).encode())
    assert (caught.value.status, caught.value.text) == (500, text)
