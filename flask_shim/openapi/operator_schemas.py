"""JSON Schemas of the answers of the operator's routes."""

from __future__ import annotations

from typing import get_args

from flask_shim.observability.request_context import Phase
from flask_shim.openapi.response_schemas import (
    BOOL,
    COUNT,
    MAYBE_COUNT,
    MAYBE_NUMBER,
    MAYBE_TEXT,
    OBJECT,
    TEXT,
    TIME,
    Shape,
    array,
    members,
    object_of,
)

_EXCHANGE = {
    **members(TEXT, "id", "method", "path"),
    **members(MAYBE_TEXT, "model", "outcome"),
    "at": TIME,
    "client": {},
    "status": MAYBE_COUNT,
    "seconds": {"type": "number"},
}
_SPEEDS = members(MAYBE_NUMBER, "tokens_per_second", "time_to_first_token_seconds")
_REQUEST = {
    **members(TEXT, "id", "method", "route"),
    **members(MAYBE_TEXT, "client", "client_address", "user_agent", "model", "backend"),
    "phase": {"enum": list(get_args(Phase))},
    **members(MAYBE_COUNT, "prompt_tokens", "cached_tokens", "output_tokens"),
    "age_seconds": {"type": "number"},
    **members(MAYBE_NUMBER, "queue_seconds", "progress_estimate"),
    **_SPEEDS,
}
_ENDED = {
    "ended_at": TIME,
    "status": COUNT,
    "outcome": TEXT,
    "error": MAYBE_TEXT,
    **members(MAYBE_NUMBER, "prefill_tokens_per_second", "decode_tokens_per_second"),
}
_MACHINE = object_of(
    **members(TEXT, "name", "url"),
    state={"enum": ["ready", "draining", "asleep", "away"]},
    error=MAYBE_TEXT,
    priority={"type": "integer"},
    **members(COUNT, "models", "in_flight"),
    loaded=array(TEXT),
    max_streams=MAYBE_COUNT,
)
_LOADED = object_of(
    {"backends": array(TEXT)},
    name=TEXT,
    expires_at=MAYBE_TEXT,
    **members(MAYBE_COUNT, "size_bytes", "context_length"),
)
_DAY = object_of(
    day={"type": "string", "format": "date"},
    **members(TEXT, "client", "model"),
    **members(COUNT, "requests", "errors", "prompt_tokens", "cached_tokens", "output_tokens"),
    **members(COUNT, "timed_tokens", "first_tokens"),
    **members({"type": "number"}, "generation_seconds", "first_token_seconds"),
    **_SPEEDS,
)

OPERATOR_REPLIES: dict[str, Shape] = {
    "OperatorModel": object_of(
        {"backends": array(object_of(name=TEXT, is_loaded=BOOL, context_length=MAYBE_COUNT))},
        **members(TEXT, "name", "key"),
        kind={"enum": ["llm", "embedding", "decision"]},
        is_loaded=BOOL,
        **members(MAYBE_COUNT, "size_bytes", "max_context_length", "context_length"),
        expires_at={"type": ["string", "null"], "format": "date-time"},
    ),
    "History": object_of(days_kept=COUNT, rows=array(_DAY)),
    "Exchanges": object_of(
        recording=object_of(limit=COUNT, until=MAYBE_TEXT),
        exchanges=array(object_of(**_EXCHANGE, changes=COUNT)),
    ),
    "Exchange": object_of(
        **_EXCHANGE,
        error=MAYBE_TEXT,
        answer=OBJECT,
        backend=array(OBJECT),
        changes=array(object_of(**members(TEXT, "field", "change", "reason"))),
        prompt_prefix={"type": ["object", "null"]},
    ),
    "Status": object_of(
        {"backends": array(_MACHINE)},
        version=TEXT,
        listening=array(TEXT),
        workers=COUNT,
        started_at=TIME,
        backend=object_of(url=TEXT, reachable=BOOL, api_version=MAYBE_TEXT, error=MAYBE_TEXT),
        slots=object_of(**members(COUNT, "total", "in_use", "waiting")),
        loaded=array(_LOADED),
        last_error={"type": ["object", "null"]},
        last_hour=array(object_of(minute=TIME, streams=COUNT, **_SPEEDS)),
    ),
    "Requests": object_of(running=array(object_of(**_REQUEST)), ended=array(object_of(**_REQUEST, **_ENDED))),
    "Canceled": object_of(id=TEXT, canceled=BOOL),
    "Reloaded": object_of(
        {"silent_workers": COUNT}, file=TEXT, **members(COUNT, "backends", "models", "rules", "keys")
    ),
}
"""The answers by the names of their components."""
