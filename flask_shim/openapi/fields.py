"""The shim's marshmallow fields as JSON Schema: what they take, said to apispec."""

from __future__ import annotations

from typing import Any

from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema
from marshmallow.fields import Field

from flask_shim.openapi.words import description_of
from flask_shim.schemas import dialects, fields, messages, service, tools, values
from flask_shim.translate.options import json_types

Shape = dict[str, Any]

_ANY_OBJECT: Shape = {"type": "object"}
_BASE64: Shape = {"type": "string", "contentEncoding": "base64"}
_TEXT_OR_PARTS: Shape = {"anyOf": [{"type": "string"}, {"type": "array"}]}

SHAPES: dict[type[Field[Any]], Shape] = {
    fields.GoString: {"type": "string"},
    fields.GoBool: {"type": "boolean"},
    fields.GoInt: {"type": "integer", "format": "int64"},
    fields.GoFloat: {"type": "number"},
    fields.GoMap: _ANY_OBJECT,
    fields.GoStringMap: {"type": "object", "additionalProperties": {"type": "string"}},
    fields.GoAny: {},
    values.Image: _BASE64,
    values.KeepAlive: {"anyOf": [{"type": "number"}, {"type": "string"}]},
    values.ThinkValue: {"anyOf": [{"type": "boolean"}, {"enum": ["low", "medium", "high", "max"]}]},
    values.FormatValue: {"anyOf": [{"const": "json"}, _ANY_OBJECT]},
    messages.Arguments: _ANY_OBJECT,
    tools.Properties: {"type": "object", "additionalProperties": _ANY_OBJECT},
    dialects.Input: _TEXT_OR_PARTS,
    dialects.System: _TEXT_OR_PARTS,
    service.Image: {
        "type": "object",
        "properties": {"data_base64": _BASE64, "mime_type": {"enum": list(service.IMAGE_TYPES)}},
        "required": ["data_base64", "mime_type"],
    },
}
"""What the fields take that say it in no other way; lists and structs are described by what is in them."""

_PREFIXES = {"openai": "OpenAI", "service": "Service"}
"""Whose schemas have names that others have, too."""

_OPTIONS = "options"


def component_name(schema: type[Schema] | Schema) -> str:
    """Return what a schema is called among the components."""
    kind = schema if isinstance(schema, type) else type(schema)
    return _PREFIXES.get(kind.__module__.rpartition(".")[2], "") + kind.__name__.removesuffix("Schema")


class Converter(OpenAPIConverter):
    """apispec's converter with words for our fields."""

    def field2property(self, field: Field[Any]) -> Shape:
        """Return the JSON Schema of one field, with what it means."""
        found = self._shape(field)
        shape = super().field2property(field) if found is None else found
        words = ""
        if isinstance(field.parent, Schema):  # not an element of a list
            words = description_of(component_name(field.parent), field.data_key or field.name or "")
        return {**shape, "description": words} if words else shape

    def _shape(self, field: Field[Any]) -> Shape | None:
        if isinstance(field, fields.GoList):
            return {"type": "array", "items": self.field2property(field.element)}
        if isinstance(field, fields.GoObject):
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
        """Call the components by our names."""
        super().__init__(schema_name_resolver=component_name)
