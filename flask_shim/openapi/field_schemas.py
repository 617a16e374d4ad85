"""JSON Schemas of the shim's marshmallow fields, for apispec."""

from __future__ import annotations

from typing import Any

from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema
from marshmallow.fields import Field

from flask_shim.openapi.field_descriptions import description_of
from flask_shim.schemas import (
    go_fields,
    messages,
    ollama_fields,
    responses_and_messages,
    service_schemas,
    systemone,
    tools,
)
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
    messages.Arguments: _ANY_OBJECT,
    systemone.Questions: {"type": "object", "additionalProperties": _ANY_OBJECT},
    tools.Properties: {"type": "object", "additionalProperties": _ANY_OBJECT},
    tools.ToolProperty: _ANY_OBJECT,
    tools.PropertyType: {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
    responses_and_messages.Input: _TEXT_OR_PARTS,
    responses_and_messages.System: _TEXT_OR_PARTS,
    service_schemas.Image: {
        "type": "object",
        "properties": {"data_base64": _BASE64, "mime_type": {"enum": list(service_schemas.IMAGE_TYPES)}},
        "required": ["data_base64", "mime_type"],
    },
}
"""The schemas of the fields that apispec does not know; lists and objects are described by their elements."""

_PREFIXES = {"openai_embeddings": "OpenAI", "service_schemas": "Service"}
"""For modules whose schemas have the names of other schemas."""

_OPTIONS = "options"


def component_name(schema: type[Schema] | Schema) -> str:
    """Return the name of a schema's component."""
    kind = schema if isinstance(schema, type) else type(schema)
    return _PREFIXES.get(kind.__module__.rpartition(".")[2], "") + kind.__name__.removesuffix("Schema")


class Converter(OpenAPIConverter):
    """apispec's converter with schemas and descriptions of our fields."""

    def field2property(self, field: Field[Any]) -> Shape:
        """Return the JSON Schema of a field with its description."""
        found = self._shape(field)
        shape = super().field2property(field) if found is None else found
        words = ""
        if isinstance(field.parent, Schema):  # not an element of a list
            words = description_of(component_name(field.parent), field.data_key or field.name or "")
        return {**shape, "description": words} if words else shape

    def _shape(self, field: Field[Any]) -> Shape | None:
        if isinstance(field, go_fields.GoList):
            return {"type": "array", "items": self.field2property(field.element)}
        if isinstance(field, go_fields.GoObject):
            reference: Shape = self.resolve_nested_schema(field.inner)  # type: ignore[no-untyped-call]  # apispec's
            return dict(reference)
        if field.name == _OPTIONS:
            return {"type": "object", "properties": json_types()}
        shape = next((SHAPES[kind] for kind in type(field).__mro__ if kind in SHAPES), None)
        return shape if shape is None or field.load_default is not True else {**shape, "default": True}


class Plugin(MarshmallowPlugin):
    """apispec's plugin with our converter."""

    Converter = Converter

    def __init__(self) -> None:
        """Use our names of components."""
        super().__init__(schema_name_resolver=component_name)
