"""What a request demands of the form of its answer: the schema for the engine, and the request for a second attempt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_shim.translate.ollama.payloads import Payload
from flask_shim.translate.schema_refs import Schema, inline_refs
from flask_shim.translate.schema_trimming import trim_schema

_LONGEST_FAULT = 500


def schema_of(payload: Mapping[str, Any]) -> Schema | None:
    """Return the JSON schema in the ``response_format`` of a chat or a completion, without references; None if none."""
    wanted = payload.get("response_format")
    named = wanted.get("json_schema") if isinstance(wanted, Mapping) and wanted.get("type") == "json_schema" else None
    schema = named.get("schema") if isinstance(named, Mapping) else None
    return inline_refs(schema) if isinstance(schema, Mapping) else None


def with_engine_schema(payload: Payload) -> tuple[Payload, tuple[str, ...]]:
    """Return the payload with a schema that LM Studio's engines can read, and the names of what that leaves out."""
    schema = schema_of(payload)
    if schema is None:
        return payload, ()
    trimmed, dropped = trim_schema(schema)
    wanted = payload["response_format"]
    named = {**wanted["json_schema"], "schema": trimmed}
    return {**payload, "response_format": {**wanted, "json_schema": named}}, dropped


def with_correction(payload: Payload, answer: str, fault: str) -> Payload:
    """Return the request for a second attempt, which tells the model of a chat what is wrong with its answer."""
    again = {key: value for key, value in payload.items() if key != "seed"}  # the same seed gives the same answer
    turns = payload.get("messages")
    if not isinstance(turns, list):
        return again
    complaint = f"Your answer does not match its JSON schema: {fault[:_LONGEST_FAULT]}\nAnswer with valid JSON only."
    turns = [*turns, {"role": "assistant", "content": answer}, {"role": "user", "content": complaint}]
    return {**again, "messages": turns}
