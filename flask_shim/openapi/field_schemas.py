"""JSON Schemas and descriptions of the shim's marshmallow fields, for apispec."""

from __future__ import annotations

from typing import Any

from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema
from marshmallow.fields import Field

from flask_shim.schemas import go_fields, ollama_fields, service_schemas, tools, v1_requests
from flask_shim.translate.ollama.sampling_options import json_types

Shape = dict[str, Any]

_ANY_OBJECT: Shape = {"type": "object"}
_BASE64: Shape = {"type": "string", "contentEncoding": "base64"}
_TEXT_OR_PARTS: Shape = {"anyOf": [{"type": "string"}, {"type": "array"}]}

SHAPES: dict[type[Field[Any]], Shape] = {
    go_fields.GoString: {"type": "string"},
    go_fields.GoBool: {"type": "boolean"},
    go_fields.GoInt: {"type": "integer", "format": "int64"},
    go_fields.GoFloat: {"type": "number"},
    go_fields.GoMap: _ANY_OBJECT,
    go_fields.GoStringMap: {"type": "object", "additionalProperties": {"type": "string"}},
    go_fields.GoAny: {},
    ollama_fields.Image: _BASE64,
    ollama_fields.KeepAlive: {"anyOf": [{"type": "number"}, {"type": "string"}]},
    ollama_fields.ThinkValue: {"anyOf": [{"type": "boolean"}, {"type": "string"}]},
    ollama_fields.FormatValue: {"anyOf": [{"const": "json"}, _ANY_OBJECT]},
    tools.ToolProperty: _ANY_OBJECT,
    tools.PropertyType: {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
    v1_requests.Input: _TEXT_OR_PARTS,
    v1_requests.System: _TEXT_OR_PARTS,
    service_schemas.Image: {
        "type": "object",
        "properties": {"data_base64": _BASE64, "mime_type": {"enum": list(service_schemas.IMAGE_TYPES)}},
        "required": ["data_base64", "mime_type"],
    },
}
"""The schemas of the fields that apispec does not know; lists, maps and objects are described by their elements."""

WORDS = {
    "model": "The model's name, as `GET /api/tags` lists it; `:latest` may be left out.",
    "name": "The same as `model`, for older clients.",
    "messages": "The conversation so far. Empty: only load the model.",
    "role": "`system`, `user`, `assistant` or `tool`.",
    "content": "The text of the turn.",
    "thinking": "The model's thinking in this turn.",
    "images": "Pictures, each as base64.",
    "state": "What the questions are about: a text, or any JSON object or array.",
    "questions": "Up to 64 questions by their names, each with `type` (`noul`, `choice` or `score`), `instructions` "
    "and `criteria`.",
    "tool_calls": "What the model called in this turn.",
    "tool_name": "Which tool this is the result of.",
    "tool_call_id": "Which call this is the result of.",
    "tools": "Functions the model may call.",
    "stream": "Send the answer while it is generated.",
    "format": "`json` for any object, or a JSON schema the answer must fit.",
    "keep_alive": "How long the model stays loaded: seconds, or a duration such as `5m`; 0 unloads it at once, "
    "negative means without a limit.",
    "options": "Options of this one answer; those that LM Studio does not have have no effect.",
    "think": "Whether a model that can think does so, or the name of one of its levels (`thinking` of `/api/show`).",
    "logprobs": "Return the log probability of each token.",
    "top_logprobs": "How many other tokens to return for each, at most 20.",
    "prompt": "The text to answer, or to continue.",
    "suffix": "The text after the gap that is to be filled.",
    "system": "The system prompt, in place of the model's own.",
    "template": "The prompt template, in place of the model's own.",
    "context": "What an earlier answer of this server returned as `context`.",
    "raw": "Send the prompt as it is, without a template.",
    "input": "One text, or a list of texts.",
    "truncate": "Truncate texts that are too long, instead of rejecting them.",
    "dimensions": "How many numbers of the vector to keep.",
    "source": "The name to copy.",
    "destination": "The new name.",
    "from": "The model, or the alias, to derive from.",
    "parameters": "Options for every request with this name.",
    "max_tokens": "Limit of the tokens of the answer.",
    "temperature": "How random the answer is; 0 is the least.",
    "model_key": "The model's key in LM Studio, or one of its names here.",
    "exclusive": "Unload everything else first.",
    "context_length": "Tokens of context to load the model with.",
    "unload_all": "Unload every model.",
}
"""By the name of the field in any schema."""

OWN_WORDS = {
    "Generate.system": "The system prompt of this one answer.",
    "Show.system": "A system prompt to show in the modelfile.",
    "Show.options": "Settings to show in the modelfile.",
    "Create.messages": "Turns that begin every conversation.",
    "Function.name": "What the model calls it by.",
    "ToolCallFunction.name": "The function that was called.",
    "Function.parameters": "A JSON schema of the arguments.",
    "ServiceChat.model_key": "The model; empty for the default one.",
    "ServiceChat.messages": "The conversation so far.",
    "ServiceMessage.role": "`system`, `user` or `assistant`.",
    "ServiceMessage.images": "Pictures, each with its type.",
}
"""Where a field has another meaning than in other schemas."""


def component_name(schema: type[Schema] | Schema) -> str:
    """Return the name of a schema's component."""
    kind = schema if isinstance(schema, type) else type(schema)
    prefix = "Service" if kind.__module__ == service_schemas.__name__ else ""
    return prefix + kind.__name__.removesuffix("Schema")


class Converter(OpenAPIConverter):
    """apispec's converter with schemas and descriptions of our fields."""

    def field2property(self, field: Field[Any]) -> Shape:
        """Return the JSON Schema of a field with its description."""
        found = self._shape(field)
        shape = super().field2property(field) if found is None else found
        words = ""
        if isinstance(field.parent, Schema):  # not an element of a list
            name = field.data_key or field.name or ""
            words = OWN_WORDS.get(f"{component_name(field.parent)}.{name}", WORDS.get(name, ""))
        return {**shape, "description": words} if words else shape

    def _shape(self, field: Field[Any]) -> Shape | None:
        if isinstance(field, go_fields.GoList):
            return {"type": "array", "items": self.field2property(field.element)}
        if isinstance(field, go_fields.OrderedMap):
            inner = {"additionalProperties": self.field2property(field.element)} if field.element else {}
            return {"type": "object", **inner}
        if isinstance(field, go_fields.GoObject):
            reference: Shape = self.resolve_nested_schema(field.inner)  # type: ignore[no-untyped-call]  # apispec's
            return dict(reference)
        if field.name == "options":
            return {"type": "object", "properties": json_types()}
        shape = next((SHAPES[kind] for kind in type(field).__mro__ if kind in SHAPES), None)
        return shape if shape is None or field.load_default is not True else {**shape, "default": True}


class Plugin(MarshmallowPlugin):
    """apispec's plugin with our converter."""

    Converter = Converter

    def __init__(self) -> None:
        """Use our names of components."""
        super().__init__(schema_name_resolver=component_name)
