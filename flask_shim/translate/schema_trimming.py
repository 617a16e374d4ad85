"""Trim a JSON schema to what all engines of LM Studio can read.

llama.cpp makes a grammar of it, MLX models use Outlines. Both reject the whole request for one keyword, format or
pattern that they cannot read, and which ones depends on the version. An answer can be checked for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
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

_FORMATS = ("date", "time", "date-time", "uuid")
_LIMITS = ("minLength", "maxLength", "minItems", "maxItems")
_LONGEST = 1000
"""llama.cpp cannot read a repetition of 2000 and more, nor a lower one inside another (llama.cpp#25746)."""

MOST_INTEGER = 2**53
"""llama.cpp reads limits of integers as 64-bit numbers."""

_PATTERN = re.compile(
    r"\^(?:[A-Za-z0-9 _:/@,;=~#&%!-]|\\[dw.+*?()\[\]{}|/-]|\[(?:[A-Za-z0-9 _.:/@+-]|\\[dw./-])+\]"
    r"|[()|?*+]|\{\d{1,3}(?:,\d{0,3})?\})*\$"
)
"""Patterns that every version of llama.cpp can read: anchored, without look-around and negated classes."""
_NO_GRAMMAR = re.compile(r"\((?!\?:)\?|[?*+}][?+]")


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
        schema = self._merge_all(schema)
        trimmed = self._trim_merged(schema)
        if schema.get("nullable") is True and schema.get("type") is not None:  # OpenAPI 3.0
            trimmed = {"anyOf": [trimmed, {"type": "null"}]}
        return {**{key: schema[key] for key in _NOTES if key in schema}, **trimmed}

    def _trim_merged(self, schema: Schema) -> Schema:
        if "const" in schema:
            return self._only(schema, "const")
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return self._only(schema, "enum")
        choices = next((schema[key] for key in ("anyOf", "oneOf") if isinstance(schema.get(key), list)), None)
        if choices and "properties" not in schema:
            self._drop(schema, "anyOf", "oneOf")
            inherited = {"type": schema["type"]} if schema.get("type") is not None else {}
            return {
                "anyOf": [
                    self.trim({**inherited, **choice} if isinstance(choice, Mapping) else choice) for choice in choices
                ]
            }
        given = schema.get("type")
        kinds = [kind for kind in _BY_TYPE if kind in (given if isinstance(given, list) else [given])]
        if not kinds:  # the one that the keywords belong to
            kinds = [kind for kind, names in _BY_TYPE.items() if not schema.keys().isdisjoint(names)][:1]
        self._drop(schema, *(name for kind in kinds for name in _BY_TYPE[kind]))
        alternatives = [self._of_type(kind, schema) for kind in kinds]
        if isinstance(given, str) and not alternatives:
            return {"type": given}  # LM Studio rejects it, with its own words
        return alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives} if alternatives else _ANYTHING

    def _merge_all(self, schema: Mapping[str, Any]) -> Schema:
        """Return the schema with the parts of ``allOf`` in it: of several values for one keyword, the first stays."""
        merged = {key: value for key, value in schema.items() if key != "allOf"}
        parts = schema.get("allOf")
        for part in parts if isinstance(parts, list) else ():
            added = self._merge_all(part) if isinstance(part, Mapping) else {}
            if isinstance(merged.get("properties"), dict) and isinstance(added.get("properties"), dict):
                merged["properties"] = {**added["properties"], **merged["properties"]}
            if isinstance(merged.get("required"), list) and isinstance(added.get("required"), list):
                merged["required"] = [*merged["required"], *added["required"]]
            merged = {**added, **merged}
        return merged

    def _only(self, schema: Schema, keyword: str) -> Schema:
        self._drop(schema, keyword, "const", "enum")
        return {keyword: schema[keyword]}

    def _of_type(self, kind: str, schema: Schema) -> Schema:
        known = {"type": kind, **{name: schema[name] for name in _BY_TYPE[kind] if name in schema}}
        if kind == "object":
            self._trim_object(known)
        elif kind == "array":
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

    def _drop(self, schema: Schema, *kept: str) -> None:
        """Note the keywords that are not kept."""
        self.dropped |= schema.keys() - _WITHOUT_EFFECT - set(kept)


_UNREADABLE: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(_LIMITS, lambda value: not isinstance(value, int) or not 0 <= value <= _LONGEST),
    **dict.fromkeys(_BY_TYPE["integer"], lambda value: not isinstance(value, int) or abs(value) > MOST_INTEGER),
    "pattern": lambda value: (
        not isinstance(value, str) or bool(_NO_GRAMMAR.search(value)) or not _PATTERN.fullmatch(value)
    ),
    "format": lambda value: value not in _FORMATS,
}
"""For keywords whose value may be unreadable: whether it is."""


def is_unreadable(keyword: str, value: Any) -> bool:
    """Return whether an engine cannot read that value of a keyword."""
    return keyword in _UNREADABLE and _UNREADABLE[keyword](value)


def without_shorthands(pattern: str) -> str:
    r"""Return the pattern without ``\d``, ``\w`` and ``(?:``, which llama.cpp cannot read (llama.cpp#27580)."""
    inside = re.sub(r"\[[^\]]*\]", lambda found: found[0].replace(r"\d", "0-9").replace(r"\w", "A-Za-z0-9_"), pattern)
    return inside.replace(r"\d", "[0-9]").replace(r"\w", "[A-Za-z0-9_]").replace("(?:", "(")
