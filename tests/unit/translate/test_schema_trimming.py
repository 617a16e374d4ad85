"""A trimmed schema has only what LM Studio's engines can read, and tells what it lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flask_shim.translate.schema_refs import inline_refs
from flask_shim.translate.schema_trimming import trim_schema

SCHEMAS = sorted((Path(__file__).parents[2] / "data" / "schemas").glob("*.json"))
TEXT, NUMBER, NULL = {"type": "string"}, {"type": "number"}, {"type": "null"}
ANYTHING = {"anyOf": [TEXT, NUMBER, {"type": "boolean"}, NULL, {"type": "object"}, {"type": "array"}]}

KEPT = [
    TEXT,
    {"type": "object", "properties": {"a": TEXT}, "required": ["a"], "additionalProperties": False},
    {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0, "exclusiveMaximum": 10}},
    {"type": "array", "items": TEXT, "minItems": 1, "maxItems": 500},
    {"type": "array", "prefixItems": [TEXT, NUMBER], "minItems": 2, "maxItems": 2},
    {"type": "string", "minLength": 1, "maxLength": 1000},
    {"type": "string", "format": "date-time", "description": "When", "title": "At"},
    {"type": "string", "pattern": "^[A-Z]{2}(-[0-9]{4,6})?$"},
    {"anyOf": [TEXT, NULL]},
    {"enum": ["a", 1, None]},
    {"const": "a"},
    {"anyOf": [{"$ref": "#/$defs/A"}, NULL], "$defs": {"A": {"type": "array", "items": {"$ref": "#/$defs/A"}}}},
]

CHANGED = {
    "types": ({"type": ["string", "null"]}, {"anyOf": [TEXT, NULL]}, ""),
    "types with their keywords": (
        {"type": ["array", "string"], "items": TEXT, "maxLength": 5},
        {"anyOf": [{"type": "array", "items": TEXT}, {"type": "string", "maxLength": 5}]},
        "",
    ),
    "nullable": ({"type": "string", "nullable": True}, {"anyOf": [TEXT, NULL]}, ""),
    "type of an enum": ({"type": "string", "enum": ["a"]}, {"enum": ["a"]}, ""),
    "empty enum": ({"type": "string", "enum": []}, TEXT, "enum"),
    "one of": ({"oneOf": [TEXT, NULL], "discriminator": {}}, {"anyOf": [TEXT, NULL]}, ""),
    "type beside alternatives": (
        {"type": "object", "anyOf": [{"properties": {}}]},
        {"anyOf": [{"type": "object", "properties": {}}]},
        "",
    ),
    "alternatives beside properties": (
        {"type": "object", "properties": {"a": TEXT}, "anyOf": [{"required": ["a"]}]},
        {"type": "object", "properties": {"a": TEXT}},
        "anyOf",
    ),
    "all of": (
        {"allOf": [{"properties": {"a": TEXT}, "required": ["a"]}, {"properties": {"b": NUMBER}, "required": ["b"]}]},
        {"type": "object", "properties": {"b": NUMBER, "a": TEXT}, "required": ["a", "b"]},
        "",
    ),
    "all of one": ({"allOf": [TEXT], "default": "x"}, TEXT, ""),
    "nothing": ({}, ANYTHING, ""),
    "only a title": ({"title": "A", "default": None}, {"title": "A", **ANYTHING}, ""),
    "true": ({"type": "array", "items": True}, {"type": "array", "items": ANYTHING}, ""),
    "false": ({"properties": {"a": False, "b": TEXT}}, {"type": "object", "properties": {"b": TEXT}}, ""),
    "items of draft 7": ({"type": "array", "items": [TEXT]}, {"type": "array", "prefixItems": [TEXT]}, ""),
    "items after a prefix": ({"prefixItems": [TEXT], "items": False}, {"type": "array", "prefixItems": [TEXT]}, ""),
    "required without a property": (
        {"properties": {}, "required": ["a"]},
        {"type": "object", "properties": {}, "required": []},
        "",
    ),
    "long text": ({"type": "string", "maxLength": 2000}, TEXT, "maxLength"),
    "contradiction": (
        {"type": "string", "minLength": 5, "maxLength": 2},
        {"type": "string", "minLength": 5},
        "maxLength",
    ),
    "huge integer": ({"type": "integer", "maximum": 1e30}, {"type": "integer"}, "maximum"),
    "limits of a number": ({"type": "number", "minimum": 0, "multipleOf": 2}, NUMBER, "minimum multipleOf"),
    "format": ({"type": "string", "format": "email"}, TEXT, "format"),
    "digits": ({"type": "string", "pattern": r"^\d{5}$"}, {"type": "string", "pattern": "^[0-9]{5}$"}, ""),
    "class of letters": (
        {"type": "string", "pattern": r"^(?:[\w-]+)$"},
        {"type": "string", "pattern": "^([A-Za-z0-9_-]+)$"},
        "",
    ),
    "without a type": ({"not": TEXT}, ANYTHING, "not"),
    "unknown type": ({"type": "banana"}, {"type": "banana"}, ""),
    "other keywords": (
        {"type": "object", "patternProperties": {}, "if": {}, "then": {}, "$schema": "x", "$defs": {}},
        {"type": "object"},
        "if patternProperties then",
    ),
}

UNREADABLE = ["[a-z]", "^a", "a$", "^(?!a)b$", "^[^a]$", "^.$", r"^\p{L}$", "^a+?$", '^"$', r"^\s$", "^é$", "^a$|^b$"]


@pytest.mark.parametrize("schema", KEPT, ids=json.dumps)
def test_what_every_engine_reads_is_kept(schema):
    assert trim_schema(schema) == (schema, ())


@pytest.mark.parametrize(("schema", "trimmed", "dropped"), CHANGED.values(), ids=CHANGED.keys())
def test_what_an_engine_rejects_is_replaced_or_dropped(schema, trimmed, dropped):
    assert trim_schema(schema) == (trimmed, tuple(dropped.split()))


def test_patterns_that_an_engine_cannot_read_are_dropped():
    kept = [pattern for pattern in UNREADABLE if trim_schema({"type": "string", "pattern": pattern})[0] != TEXT]
    assert kept == []


def test_an_odd_schema_is_no_failure():
    for odd in (None, [], "x", {"type": {}}, {"anyOf": 1}, {"properties": []}, {"items": 1}, {"allOf": 2}):
        assert isinstance(trim_schema(odd)[0], dict)
    for odd in ({"properties": 5}, {"properties": None}, {"properties": {"a": TEXT}}):
        assert trim_schema({**odd, "required": ["b", {}, ["a"]]})[0]["required"] == []


def _keywords(schema):
    """Return the keywords in a schema, without the names of properties."""
    found = set(schema)
    for name in ("properties", "$defs"):
        found = found.union(*map(_keywords, schema.get(name, {}).values()))
    for name in ("anyOf", "prefixItems"):
        found = found.union(*map(_keywords, schema.get(name, ())))
    inner = (schema.get(name) for name in ("items", "additionalProperties"))
    return found.union(*(_keywords(value) for value in inner if isinstance(value, dict)))


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_schemas_of_real_libraries_keep_only_known_keywords(path):
    trimmed, _ = trim_schema(inline_refs(json.loads(path.read_text(encoding="utf-8"))))
    known = {"type", "properties", "required", "additionalProperties", "items", "prefixItems", "minItems", "maxItems"}
    known |= {
        "minLength",
        "maxLength",
        "pattern",
        "format",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
    }
    assert _keywords(trimmed) <= known | {"anyOf", "const", "enum", "title", "description", "$ref", "$defs"}
    assert trim_schema(trimmed) == (trimmed, ())
