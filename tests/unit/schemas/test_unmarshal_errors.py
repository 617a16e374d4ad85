"""Bodies are refused with the texts that a real Ollama was seen to send; of several faults with its first one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_shim.errors import BadRequest, ShimError
from flask_shim.schemas import ollama_requests as schemas

PARAMETERS = "ToolFunctionParameters.tools.function.parameters"
PROPERTIES = f"{PARAMETERS}.properties"
CALLS = "ChatRequest.messages.tool_calls"


def complaint(route: str, body: object) -> str:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(BadRequest) as caught:
        getattr(schemas, f"load_{route}")(raw)
    assert caught.value.status == 400
    return caught.value.text


def with_call(call):
    return {"messages": [{"tool_calls": [call]}]}


def with_tool(function):
    return {"tools": [{"function": function}]}


WRONG_TYPES = (
    ("generate", {"prompt": 1}, "number", "GenerateRequest.prompt", "string"),
    ("generate", {"prompt": ["x"]}, "array", "GenerateRequest.prompt", "string"),
    ("generate", {"suffix": 1}, "number", "GenerateRequest.suffix", "string"),
    ("generate", {"system": 1}, "number", "GenerateRequest.system", "string"),
    ("generate", {"template": 1}, "number", "GenerateRequest.template", "string"),
    ("generate", {"context": "x"}, "string", "GenerateRequest.context", "[]int"),
    ("generate", {"context": [1.5]}, "number 1.5", "GenerateRequest.context", "int"),
    ("generate", {"context": ["x"]}, "string", "GenerateRequest.context", "int"),
    ("generate", {"stream": 1}, "number", "GenerateRequest.stream", "bool"),
    ("generate", {"stream": "yes"}, "string", "GenerateRequest.stream", "bool"),
    ("generate", {"raw": "x"}, "string", "GenerateRequest.raw", "bool"),
    ("generate", {"images": "x"}, "string", "GenerateRequest.images", "[]api.ImageData"),
    ("generate", {"images": [1]}, "number", "GenerateRequest.images", "api.ImageData"),
    ("generate", {"options": []}, "array", "GenerateRequest.options", "map[string]interface {}"),
    ("generate", {"truncate": "x"}, "string", "GenerateRequest.truncate", "bool"),
    ("generate", {"shift": "x"}, "string", "GenerateRequest.shift", "bool"),
    ("generate", {"logprobs": "x"}, "string", "GenerateRequest.logprobs", "bool"),
    ("generate", {"top_logprobs": "x"}, "string", "GenerateRequest.top_logprobs", "int"),
    ("generate", {"top_logprobs": True}, "bool", "GenerateRequest.top_logprobs", "int"),
    ("generate", {"top_logprobs": 1.5}, "number 1.5", "GenerateRequest.top_logprobs", "int"),
    ("generate", {"model": ["x"]}, "array", "GenerateRequest.model", "string"),
    ("generate", {"_debug_render_only": 1}, "number", "GenerateRequest._debug_render_only", "bool"),
    ("chat", {"messages": "x"}, "string", "ChatRequest.messages", "[]api.Message"),
    ("chat", {"messages": ["x"]}, "string", "ChatRequest.messages", "api.Alias"),
    ("chat", {"messages": [1]}, "number", "ChatRequest.messages", "api.Alias"),
    ("chat", {"messages": [{"role": 1}]}, "number", "ChatRequest.messages.role", "string"),
    ("chat", {"messages": [{"content": []}]}, "array", "ChatRequest.messages.content", "string"),
    ("chat", {"messages": [{"content": {"a": 1}}]}, "object", "ChatRequest.messages.content", "string"),
    ("chat", {"messages": [{"content": True}]}, "bool", "ChatRequest.messages.content", "string"),
    ("chat", {"messages": [{"thinking": 1}]}, "number", "ChatRequest.messages.thinking", "string"),
    ("chat", {"messages": [{"images": "x"}]}, "string", "ChatRequest.messages.images", "[]api.ImageData"),
    ("chat", {"messages": [{"images": [1]}]}, "number", "ChatRequest.messages.images", "api.ImageData"),
    ("chat", {"messages": [{"tool_calls": "x"}]}, "string", "ChatRequest.messages.tool_calls", "[]api.ToolCall"),
    ("chat", with_call({"function": "x"}), "string", f"{CALLS}.function", "api.ToolCallFunction"),
    ("chat", with_call({"function": {"name": 1}}), "number", f"{CALLS}.function.name", "string"),
    ("chat", with_call({"id": 1, "function": {"name": "f"}}), "number", f"{CALLS}.id", "string"),
    ("chat", {"tools": {}}, "object", "ChatRequest.tools", "api.Tools"),
    ("chat", {"tools": ["x"]}, "string", "ChatRequest.tools", "api.Tool"),
    ("chat", {"tools": [{"function": {"name": 1}}]}, "number", "ToolFunction.tools.function.name", "string"),
    (
        "chat",
        with_tool({"parameters": "x"}),
        "string",
        "ToolFunction.tools.function.parameters",
        "api.ToolFunctionParameters",
    ),
    ("chat", with_tool({"parameters": {"type": ["object"]}}), "array", f"{PARAMETERS}.type", "string"),
    ("chat", with_tool({"parameters": {"properties": {"a": {"type": 5}}}}), "number", f"{PROPERTIES}.type", "[]string"),
    ("chat", {"options": []}, "array", "ChatRequest.options", "map[string]interface {}"),
    ("chat", {"stream": "x"}, "string", "ChatRequest.stream", "bool"),
    ("chat", {"logprobs": "x"}, "string", "ChatRequest.logprobs", "bool"),
    ("chat", {"top_logprobs": 1.5}, "number 1.5", "ChatRequest.top_logprobs", "int"),
    ("create", {"renderer": 1}, "number", "CreateRequest.renderer", "string"),
    ("create", {"parser": 1}, "number", "CreateRequest.parser", "string"),
    ("create", {"requires": 1}, "number", "CreateRequest.requires", "string"),
    ("create", {"remote_host": 1}, "number", "CreateRequest.remote_host", "string"),
    ("create", {"draft_quantize": 1}, "number", "CreateRequest.draft_quantize", "string"),
    ("create", {"draft_files": 1}, "number", "CreateRequest.draft_files", "map[string]string"),
    ("create", {"info": 1}, "number", "CreateRequest.info", "map[string]interface {}"),
    ("embed", {"dimensions": "2"}, "string", "EmbedRequest.dimensions", "int"),
    ("embed", {"truncate": 1}, "number", "EmbedRequest.truncate", "bool"),
    ("embeddings", {"prompt": ["x"]}, "array", "EmbeddingRequest.prompt", "string"),
    ("show", {"model": 1}, "number", "ShowRequest.model", "string"),
    ("show", {"verbose": "x"}, "string", "ShowRequest.verbose", "bool"),
    ("pull", {"model": 1}, "number", "PullRequest.model", "string"),
    ("push", {"name": 1}, "number", "PushRequest.name", "string"),
    ("push", {"stream": "x"}, "string", "PushRequest.stream", "bool"),
    ("copy", {"source": 1}, "number", "CopyRequest.source", "string"),
    ("delete", {"model": {}}, "object", "DeleteRequest.model", "string"),
    ("create", {"files": "x"}, "string", "CreateRequest.files", "map[string]string"),
    ("create", {"files": {"a": 1}}, "number", "CreateRequest.files", "string"),
    ("create", {"parameters": "x"}, "string", "CreateRequest.parameters", "map[string]interface {}"),
    ("create", {"messages": [{"role": 1}]}, "number", "CreateRequest.messages.role", "string"),
)


@pytest.mark.parametrize(("route", "body", "value", "path", "go_type"), WRONG_TYPES)
def test_a_value_of_the_wrong_type_is_rejected_with_its_path(route, body, value, path, go_type):
    expected = f"json: cannot unmarshal {value} into Go struct field {path} of type {go_type}"
    assert complaint(route, {"model": "plain", **body}) == expected


@pytest.mark.parametrize(
    ("given", "value", "path", "go_type"),
    [
        ({"type": [1]}, "number", ".type", "string"),
        ({"type": True}, "bool", ".type", "[]string"),
        ({"description": 1}, "number", ".description", "string"),
        ({"description": 1, "type": {}}, "object", ".type", "[]string"),
        ({"enum": "x"}, "string", ".enum", "[]interface {}"),
        ({"required": "b"}, "string", ".required", "[]string"),
        ({"required": ["b", 2]}, "number", ".required", "string"),
        ({"anyOf": {}}, "object", ".anyOf", "[]api.ToolProperty"),
        ({"anyOf": ["x"]}, "string", ".anyOf", "api.ToolProperty"),
        ({"anyOf": [{"type": 1}]}, "number", ".anyOf.type", "[]string"),
        ({"properties": {"c": {"description": []}}}, "array", ".properties.description", "string"),
        ({"properties": {"c": 5}}, "number", ".properties", "api.ToolProperty"),
        (
            {"properties": {"c": {"properties": {"d": {"enum": 0}}}}},
            "number",
            ".properties.properties.enum",
            "[]interface {}",
        ),
    ],
)
def test_a_wrong_type_in_a_property_of_a_tool_is_refused(given, value, path, go_type):
    parameters = {"properties": {"a": {}, "b": given, "later": {"type": 5}}}
    expected = f"json: cannot unmarshal {value} into Go struct field {PROPERTIES}{path} of type {go_type}"
    assert complaint("chat", with_tool({"parameters": parameters})) == expected


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
    assert (
        complaint("chat", with_call({"function": {"name": "f", "arguments": arguments}}))
        == "Value looks like object, but can't find closing '}' symbol"
    )


def test_properties_that_are_no_object_are_refused():
    assert (
        complaint("chat", with_tool({"parameters": {"properties": ["city"]}}))
        == "Value looks like object, but can't find closing '}' symbol"
    )


def test_a_property_that_is_no_object_is_refused():
    expected = f"json: cannot unmarshal string into Go struct field {PROPERTIES} of type api.ToolProperty"
    assert complaint("chat", with_tool({"parameters": {"properties": {"city": "string"}}})) == expected


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


LOADERS = [getattr(schemas, name) for name in vars(schemas) if name.startswith("load_")]

FIELDS = (
    *("model", "name", "messages", "tools", "options", "keep_alive", "think", "format", "images", "input", "context"),
    *("license", "files", "role", "content", "tool_calls", "function", "arguments", "parameters", "properties", "type"),
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NESTED = st.recursive(
    JSON,
    lambda inner: st.dictionaries(st.sampled_from(FIELDS), inner | st.lists(inner, max_size=2)),
    max_leaves=12,
)


@pytest.mark.parametrize("load", LOADERS)
@settings(deadline=None, max_examples=30)
@given(body=st.dictionaries(st.sampled_from(FIELDS), NESTED, max_size=6))
def test_any_object_is_a_request_or_an_error_of_ours(load, body):
    assert outcome(load, json.dumps(body).encode())


@pytest.mark.parametrize("load", LOADERS)
@settings(deadline=None, max_examples=30)
@given(body=st.binary(max_size=60))
def test_any_bytes_are_a_request_or_an_error_of_ours(load, body):
    assert outcome(load, body)


def outcome(load, body: bytes) -> object:
    try:
        return load(body)
    except ShimError as error:
        return error.text
