"""The schemas in a request: those for the engine, and the request for a second attempt at a structured answer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from flask_shim.translate.ollama.payloads import Payload
from flask_shim.translate.schema_refs import Schema, inline_refs
from flask_shim.translate.schema_trimming import MOST_INTEGER, is_unreadable, trim_schema, without_shorthands

_MAPS = ("properties", "$defs", "definitions")
_PARTS = ("items", "prefixItems", "anyOf", "oneOf", "allOf", "additionalProperties")
_TEXT_KEYWORDS = ("minLength", "maxLength", "minItems", "maxItems", "pattern")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")

_LONGEST_FAULT = 500
_LONGEST_CACHED = 20_000


def schema_of(payload: Mapping[str, Any]) -> Schema | None:
    """Return the JSON schema in the ``response_format`` of a chat or a completion, without references; None if none."""
    wanted = payload.get("response_format")
    named = wanted.get("json_schema") if isinstance(wanted, dict) and wanted.get("type") == "json_schema" else None
    schema = named.get("schema") if isinstance(named, dict) else None
    return inline_refs(schema) if isinstance(schema, dict) else None


def with_engine_schemas(payload: Payload) -> tuple[Payload, list[str]]:
    """Return the payload with schemas that LM Studio's engines can read, and the names of what that leaves out."""
    names: list[str] = []
    if (schema := schema_of(payload)) is not None:
        trimmed, dropped = trim_schema(schema)
        names += (f"response_format.{name}" for name in dropped)
        wanted = payload["response_format"]
        payload = {
            **payload,
            "response_format": {**wanted, "json_schema": {**wanted["json_schema"], "schema": trimmed}},
        }
    if isinstance(payload.get("tools"), list):
        lost: set[str] = set()
        payload = {**payload, "tools": [_readable_tool(tool, lost) for tool in payload["tools"]]}
        names += (f"tools.{name}" for name in sorted(lost))
    return payload, names


def _readable_tool(tool: Any, dropped: set[str]) -> Any:
    given = orjson.dumps(tool)
    readable, lost = (_readable if len(given) < _LONGEST_CACHED else _readable.__wrapped__)(given)
    dropped |= lost
    return readable


@lru_cache(maxsize=512)  # agents send the same tools with each request
def _readable(given: bytes) -> tuple[Any, set[str]]:
    tool, dropped = orjson.loads(given), set[str]()
    function = tool.get("function") if isinstance(tool, dict) else None
    if isinstance(function, dict) and "parameters" in function:
        function["parameters"] = readable_parameters(function["parameters"], dropped)
    return tool, dropped


def readable_parameters(schema: Any, dropped: set[str]) -> Any:
    """Return the parameters of a tool as every engine can read them; add the names of the keywords that they lose.

    The model reads them, too, so nothing else is changed.
    """
    if isinstance(schema, list):
        return [readable_parameters(part, dropped) for part in schema]
    if not isinstance(schema, dict):
        return {} if schema is True else schema
    readable: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _MAPS and isinstance(value, dict):
            readable[key] = {name: readable_parameters(part, dropped) for name, part in value.items()}
        elif key in _PARTS and not isinstance(value, bool):
            readable[key] = readable_parameters(value, dropped)
        elif _is_rejected(key, value):
            dropped.add(key)
        elif key == "pattern":
            readable[key] = without_shorthands(value)
        elif key == "items" and value is True:
            readable[key] = {}
        else:
            readable[key] = value
    return readable


def _is_rejected(key: str, value: Any) -> bool:
    if key in _TEXT_KEYWORDS:
        return is_unreadable(key, value)
    if key in _BOUNDS:
        return isinstance(value, int | float) and abs(value) > MOST_INTEGER
    return (key == "enum" and not value) or (key == "items" and value is False)


def with_correction(payload: Payload, answer: str, fault: str) -> Payload:
    """Return the request for a second attempt, which tells the model of a chat what is wrong with its answer."""
    again = {key: value for key, value in payload.items() if key != "seed"}  # the same seed gives the same answer
    turns = payload.get("messages")
    if not isinstance(turns, list):
        return again
    complaint = f"Your answer does not match its JSON schema: {fault[:_LONGEST_FAULT]}\nAnswer with valid JSON only."
    turns = [*turns, {"role": "assistant", "content": answer}, {"role": "user", "content": complaint}]
    return {**again, "messages": turns}
