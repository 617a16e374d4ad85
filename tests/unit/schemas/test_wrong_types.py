"""Wrong types are refused with the texts a real Ollama was seen to send."""

from __future__ import annotations

import json

import pytest

from flask_shim.errors import BadRequest
from flask_shim.schemas import ollama_requests as schemas

PROPERTIES = "ToolFunctionParameters.tools.function.parameters.properties"


def complaint(route: str, body: object) -> str:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(BadRequest) as caught:
        getattr(schemas, f"load_{route}")(raw)
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
        *(
            ("create", {name: 1}, f"number into Go struct field CreateRequest.{name} of type {go_type}")
            for name, go_type in [
                ("renderer", "string"),
                ("parser", "string"),
                ("requires", "string"),
                ("remote_host", "string"),
                ("draft_quantize", "string"),
                ("draft_files", "map[string]string"),
                ("info", "map[string]interface {}"),
            ]
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
def test_a_value_of_the_wrong_type_is_rejected_with_its_path(route, body, what):
    assert complaint(route, {"model": "plain", **body}) == f"json: cannot unmarshal {what}"


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
    assert complaint("chat", {"tools": [{"function": {"parameters": parameters}}]}) == expected
