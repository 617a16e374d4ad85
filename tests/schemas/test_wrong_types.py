"""Wrong types are refused with the texts a real Ollama was seen to send."""

from __future__ import annotations

import json

import pytest

from flask_shim import schemas
from flask_shim.errors import BadRequest, ShimError

LOADERS = {
    "chat": schemas.load_chat,
    "generate": schemas.load_generate,
    "embed": schemas.load_embed,
    "embeddings": schemas.load_embeddings,
    "show": schemas.load_show,
    "pull": schemas.load_pull,
    "push": schemas.load_push,
    "create": schemas.load_create,
    "copy": schemas.load_copy,
    "delete": schemas.load_delete,
}
PROPERTIES = "ToolFunctionParameters.tools.function.parameters.properties"


def complaint(route: str, body: object) -> str:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(BadRequest) as caught:
        LOADERS[route](raw)
    assert caught.value.status == 400
    return caught.value.text


@pytest.mark.parametrize(
    ("route", "body", "what"),
    [
        ("generate", {"prompt": 1}, "number into Go struct field GenerateRequest.prompt of type string"),
        ("generate", {"prompt": ["x"]}, "array into Go struct field GenerateRequest.prompt of type string"),
        ("generate", {"suffix": 1}, "number into Go struct field GenerateRequest.suffix of type string"),
        ("generate", {"system": 1}, "number into Go struct field GenerateRequest.system of type string"),
        ("generate", {"template": 1}, "number into Go struct field GenerateRequest.template of type string"),
        ("generate", {"context": "x"}, "string into Go struct field GenerateRequest.context of type []int"),
        ("generate", {"context": [1.5]}, "number 1.5 into Go struct field GenerateRequest.context of type int"),
        ("generate", {"context": ["x"]}, "string into Go struct field GenerateRequest.context of type int"),
        ("generate", {"stream": 1}, "number into Go struct field GenerateRequest.stream of type bool"),
        ("generate", {"stream": "yes"}, "string into Go struct field GenerateRequest.stream of type bool"),
        ("generate", {"raw": "x"}, "string into Go struct field GenerateRequest.raw of type bool"),
        ("generate", {"images": "x"}, "string into Go struct field GenerateRequest.images of type []api.ImageData"),
        ("generate", {"images": [1]}, "number into Go struct field GenerateRequest.images of type api.ImageData"),
        (
            "generate",
            {"options": []},
            "array into Go struct field GenerateRequest.options of type map[string]interface {}",
        ),
        ("generate", {"truncate": "x"}, "string into Go struct field GenerateRequest.truncate of type bool"),
        ("generate", {"shift": "x"}, "string into Go struct field GenerateRequest.shift of type bool"),
        ("generate", {"logprobs": "x"}, "string into Go struct field GenerateRequest.logprobs of type bool"),
        ("generate", {"top_logprobs": "x"}, "string into Go struct field GenerateRequest.top_logprobs of type int"),
        ("generate", {"top_logprobs": True}, "bool into Go struct field GenerateRequest.top_logprobs of type int"),
        ("generate", {"top_logprobs": 1.5}, "number 1.5 into Go struct field GenerateRequest.top_logprobs of type int"),
        ("generate", {"model": ["x"]}, "array into Go struct field GenerateRequest.model of type string"),
        (
            "generate",
            {"_debug_render_only": 1},
            "number into Go struct field GenerateRequest._debug_render_only of type bool",
        ),
        ("chat", {"messages": "x"}, "string into Go struct field ChatRequest.messages of type []api.Message"),
        ("chat", {"messages": ["x"]}, "string into Go struct field ChatRequest.messages of type api.Alias"),
        ("chat", {"messages": [1]}, "number into Go struct field ChatRequest.messages of type api.Alias"),
        ("chat", {"messages": [{"role": 1}]}, "number into Go struct field ChatRequest.messages.role of type string"),
        (
            "chat",
            {"messages": [{"content": []}]},
            "array into Go struct field ChatRequest.messages.content of type string",
        ),
        (
            "chat",
            {"messages": [{"content": {}}]},
            "object into Go struct field ChatRequest.messages.content of type string",
        ),
        (
            "chat",
            {"messages": [{"content": True}]},
            "bool into Go struct field ChatRequest.messages.content of type string",
        ),
        (
            "chat",
            {"messages": [{"thinking": 1}]},
            "number into Go struct field ChatRequest.messages.thinking of type string",
        ),
        (
            "chat",
            {"messages": [{"images": "x"}]},
            "string into Go struct field ChatRequest.messages.images of type []api.ImageData",
        ),
        (
            "chat",
            {"messages": [{"images": [1]}]},
            "number into Go struct field ChatRequest.messages.images of type api.ImageData",
        ),
        (
            "chat",
            {"messages": [{"tool_calls": "x"}]},
            "string into Go struct field ChatRequest.messages.tool_calls of type []api.ToolCall",
        ),
        (
            "chat",
            {"messages": [{"tool_calls": [{"function": "x"}]}]},
            "string into Go struct field ChatRequest.messages.tool_calls.function of type api.ToolCallFunction",
        ),
        (
            "chat",
            {"messages": [{"tool_calls": [{"function": {"name": 1}}]}]},
            "number into Go struct field ChatRequest.messages.tool_calls.function.name of type string",
        ),
        (
            "chat",
            {"messages": [{"tool_calls": [{"id": 1, "function": {"name": "f"}}]}]},
            "number into Go struct field ChatRequest.messages.tool_calls.id of type string",
        ),
        ("chat", {"tools": {}}, "object into Go struct field ChatRequest.tools of type api.Tools"),
        ("chat", {"tools": ["x"]}, "string into Go struct field ChatRequest.tools of type api.Tool"),
        (
            "chat",
            {"tools": [{"function": {"name": 1}}]},
            "number into Go struct field ToolFunction.tools.function.name of type string",
        ),
        (
            "chat",
            {"tools": [{"function": {"parameters": "x"}}]},
            "string into Go struct field ToolFunction.tools.function.parameters of type api.ToolFunctionParameters",
        ),
        (
            "chat",
            {"tools": [{"function": {"parameters": {"type": ["object"]}}}]},
            "array into Go struct field ToolFunctionParameters.tools.function.parameters.type of type string",
        ),
        (
            "chat",
            {"tools": [{"function": {"parameters": {"properties": {"a": {"type": 5}}}}}]},
            f"number into Go struct field {PROPERTIES}.type of type []string",
        ),
        ("embed", {"dimensions": "2"}, "string into Go struct field EmbedRequest.dimensions of type int"),
        ("embeddings", {"prompt": ["x"]}, "array into Go struct field EmbeddingRequest.prompt of type string"),
        ("show", {"model": 1}, "number into Go struct field ShowRequest.model of type string"),
        ("show", {"verbose": "x"}, "string into Go struct field ShowRequest.verbose of type bool"),
        ("pull", {"model": 1}, "number into Go struct field PullRequest.model of type string"),
        ("push", {"name": 1}, "number into Go struct field PushRequest.name of type string"),
        ("copy", {"source": 1}, "number into Go struct field CopyRequest.source of type string"),
        ("delete", {"model": {}}, "object into Go struct field DeleteRequest.model of type string"),
        ("create", {"files": "x"}, "string into Go struct field CreateRequest.files of type map[string]string"),
        ("create", {"files": {"a": 1}}, "number into Go struct field CreateRequest.files of type string"),
        (
            "create",
            {"parameters": "x"},
            "string into Go struct field CreateRequest.parameters of type map[string]interface {}",
        ),
        (
            "create",
            {"messages": [{"role": 1}]},
            "number into Go struct field CreateRequest.messages.role of type string",
        ),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_the_way_to_it(route, body, what):
    assert complaint(route, {"model": "plain", **body}) == f"json: cannot unmarshal {what}"


@pytest.mark.parametrize("route", LOADERS)
@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", "missing request body"),
        (b"{", "unexpected EOF"),
        (b"{a:1}", "invalid character 'a' looking for beginning of object key string"),
    ],
)
def test_every_route_refuses_what_is_no_json(route, raw, text):
    assert complaint(route, raw) == text


@pytest.mark.parametrize(
    ("route", "go_type"),
    [
        ("chat", "ChatRequest"),
        ("generate", "GenerateRequest"),
        ("embed", "EmbedRequest"),
        ("embeddings", "EmbeddingRequest"),
        ("show", "ShowRequest"),
        ("pull", "PullRequest"),
        ("push", "PushRequest"),
        ("create", "CreateRequest"),
        ("copy", "CopyRequest"),
        ("delete", "DeleteRequest"),
    ],
)
def test_every_route_refuses_what_is_no_object(route, go_type):
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
def test_the_first_fault_is_told_unless_a_type_reads_itself(body, blamed):
    assert f"ChatRequest.{blamed} of type" in complaint("chat", body)


def test_keep_alive_ends_the_reading_before_an_earlier_wrong_type_is_told():
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
def test_a_license_that_is_no_text_fails_later_in_ollama_and_so_with_500(license_, text):
    with pytest.raises(ShimError) as caught:
        schemas.load_create(json.dumps({"model": "m", "from": "plain", "license": license_}).encode())
    assert (caught.value.status, caught.value.text) == (500, text)
