"""Trim a JSON schema to what all engines of LM Studio can read.

llama.cpp makes a grammar of it, MLX models use Outlines. Both reject the whole request for one keyword, format or
pattern that they cannot read, and which ones depends on the version. An answer can be checked for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask_shim.translate.schema_refs import Schema

_NOTES = ("title", "description")
_BY_TYPE: Mapping[str, tuple[str, ...]] = {
    "object": ("properties", "required", "additionalProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems"),
    "string": ("minLength", "maxLength", "pattern", "format"),
    "integer": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    "number": (),
    "boolean": (),
    "null": (),
}
"""The keywords of each type that are kept."""

_WITHOUT_EFFECT = {
    *("$schema", "$id", "$comment", "$anchor", "default", "examples", "example", "deprecated", "readOnly", "writeOnly"),
    *("discriminator", "strict", "$defs", "definitions", "additionalItems", "nullable", "type", *_NOTES),
}
"""Keywords that restrict nothing, or that are read in another way."""

_ANYTHING: Schema = {"anyOf": [{"type": name} for name in ("string", "number", "boolean", "null", "object", "array")]}

_LONGEST = 1000
"""llama.cpp cannot read a repetition of 2000 and more, nor a lower one inside another (llama.cpp#25746)."""

MOST_INTEGER = 2**53
"""llama.cpp reads limits of integers as 64-bit numbers."""

_PATTERN = re.compile(
    r"\^(?:[A-Za-z0-9 _:/@,;=~#&%!-]|\\[dw.+*?()\[\]{}|/-]|\[(?:[A-Za-z0-9 _.:/@+-]|\\[dw./-])+\]"
    r"|[()|?*+]|\{\d{1,3}(?:,\d{0,3})?\})*\$"
)
"""Patterns that every version of llama.cpp can read, if they also have no look-around and no lazy repetition."""
_LOOK_AROUND_OR_LAZY = re.compile(r"\((?!\?:)\?|[?*+}][?+]")


def _is_readable_length(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value <= _LONGEST


def _is_readable_bound(value: Any) -> bool:
    return isinstance(value, int) and abs(value) <= MOST_INTEGER


def _is_readable_pattern(value: Any) -> bool:
    return isinstance(value, str) and not _LOOK_AROUND_OR_LAZY.search(value) and bool(_PATTERN.fullmatch(value))


_IS_READABLE: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _is_readable_length),
    **dict.fromkeys(_BY_TYPE["integer"], _is_readable_bound),
    "pattern": _is_readable_pattern,
    "format": lambda value: value in ("date", "time", "date-time", "uuid"),
}
"""For keywords that engines cannot read with every value: whether they can read one."""


def trim_schema(schema: Any) -> tuple[Schema, tuple[str, ...]]:
    """Return a schema without references to other documents, trimmed, and the names of the keywords that it lost."""
    trimmer = _Trimmer()
    trimmed = trimmer.trim(schema)
    definitions = schema.get("$defs") if isinstance(schema, Mapping) else None
    if isinstance(definitions, Mapping) and definitions:
        trimmed["$defs"] = {name: trimmer.trim(value) for name, value in definitions.items()}
    return trimmed, tuple(sorted(trimmer.dropped))


class _Trimmer:
    def __init__(self) -> None:
        self.dropped: set[str] = set()

    def trim(self, schema: Any) -> Schema:
        """Return one schema trimmed; a boolean one, and one that restricts nothing, allows any value."""
        if not isinstance(schema, Mapping):
            return _ANYTHING
        if isinstance(schema.get("$ref"), str):
            return {"$ref": schema["$ref"]}
        schema = _merge_all_of(schema)
        trimmed = self._trim_merged(schema)
        if schema.get("nullable") is True and schema.get("type") is not None:  # OpenAPI 3.0
            trimmed = {"anyOf": [trimmed, {"type": "null"}]}
        return {**{key: schema[key] for key in _NOTES if key in schema}, **trimmed}

    def _trim_merged(self, schema: Schema) -> Schema:
        """Return a schema without ``allOf`` as the first that it is: one value, some values, alternatives, types."""
        if "const" in schema:
            self._note_dropped(schema, kept=("const", "enum"))
            return {"const": schema["const"]}
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            self._note_dropped(schema, kept=("enum",))
            return {"enum": schema["enum"]}
        if "properties" not in schema and (choices := _choices(schema)):
            self._note_dropped(schema, kept=("anyOf", "oneOf"))
            return {"anyOf": [self.trim(choice) for choice in choices]}
        types = _types(schema)
        self._note_dropped(schema, kept=[name for type_ in types for name in _BY_TYPE[type_]])
        if not types:
            unknown = schema.get("type")  # LM Studio rejects it, with its own words
            return {"type": unknown} if isinstance(unknown, str) else _ANYTHING
        alternatives = [self._trim_type(type_, schema) for type_ in types]
        return alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}

    def _trim_type(self, type_: str, schema: Schema) -> Schema:
        """Return what ``schema`` says about values of one type."""
        known = {"type": type_, **{name: schema[name] for name in _BY_TYPE[type_] if name in schema}}
        if type_ == "object":
            self._trim_object(known)
        elif type_ == "array":
            self._trim_array(known)
        for name in [name for name, value in known.items() if is_unreadable(name, value)]:
            known.pop(name)
            self.dropped.add(name)
        for least, most in (("minLength", "maxLength"), ("minItems", "maxItems")):
            if known.get(least, 0) > known.get(most, _LONGEST):  # llama.cpp b11549 does not end
                known.pop(most)
                self.dropped.add(most)
        if "pattern" in known:
            known["pattern"] = without_shorthands(known["pattern"])
        return known

    def _trim_object(self, known: Schema) -> None:
        properties = known.get("properties")
        trimmed: Schema = {}
        if isinstance(properties, Mapping):
            trimmed = {name: self.trim(value) for name, value in properties.items() if value is not False}
            known["properties"] = trimmed
        if isinstance(known.get("required"), list):
            known["required"] = [name for name in known["required"] if isinstance(name, str) and name in trimmed]
        if isinstance(known.get("additionalProperties"), Mapping):
            known["additionalProperties"] = self.trim(known["additionalProperties"])

    def _trim_array(self, known: Schema) -> None:
        items = known.get("items")
        if isinstance(items, list):  # draft 7 calls prefixItems so
            known["prefixItems"] = items
        if isinstance(known.get("prefixItems"), list) and known["prefixItems"]:
            known["prefixItems"] = [self.trim(item) for item in known["prefixItems"]]
            known.pop("items", None)
        elif "items" in known:
            known["items"] = self.trim(items)

    def _note_dropped(self, schema: Schema, kept: Iterable[str]) -> None:
        self.dropped |= schema.keys() - _WITHOUT_EFFECT - set(kept)


def _merge_all_of(schema: Mapping[str, Any]) -> Schema:
    """Return the schema with the parts of ``allOf`` in it: of several values for one keyword, the first stays."""
    merged = {key: value for key, value in schema.items() if key != "allOf"}
    parts = schema.get("allOf")
    for part in parts if isinstance(parts, list) else ():
        added = _merge_all_of(part) if isinstance(part, Mapping) else {}
        if isinstance(merged.get("properties"), dict) and isinstance(added.get("properties"), dict):
            merged["properties"] = {**added["properties"], **merged["properties"]}
        if isinstance(merged.get("required"), list) and isinstance(added.get("required"), list):
            merged["required"] = [*merged["required"], *added["required"]]
        merged = {**added, **merged}
    return merged


def _choices(schema: Schema) -> list[Any]:
    """Return the alternatives in a schema, each with the type that stands beside them."""
    choices: list[Any] = next((schema[key] for key in ("anyOf", "oneOf") if isinstance(schema.get(key), list)), [])
    if schema.get("type") is None:
        return choices
    return [{"type": schema["type"], **choice} if isinstance(choice, Mapping) else choice for choice in choices]


def _types(schema: Schema) -> list[str]:
    """Return the known types that a schema names, otherwise the one that its keywords belong to."""
    named = schema.get("type")
    types = [type_ for type_ in _BY_TYPE if type_ in (named if isinstance(named, list) else [named])]
    return types or [type_ for type_, names in _BY_TYPE.items() if not schema.keys().isdisjoint(names)][:1]


def is_unreadable(keyword: str, value: Any) -> bool:
    """Return whether an engine cannot read that value of a keyword."""
    return keyword in _IS_READABLE and not _IS_READABLE[keyword](value)


def without_shorthands(pattern: str) -> str:
    r"""Return the pattern without ``\d``, ``\w`` and ``(?:``, which llama.cpp cannot read (llama.cpp#27580)."""
    inside = re.sub(r"\[[^\]]*\]", lambda found: found[0].replace(r"\d", "0-9").replace(r"\w", "A-Za-z0-9_"), pattern)
    return inside.replace(r"\d", "[0-9]").replace(r"\w", "[A-Za-z0-9_]").replace("(?:", "(")
