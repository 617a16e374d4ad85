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
    every,
    holding,
)

_CHANGE = holding(field=TEXT, change=TEXT, reason=TEXT)
_EXCHANGE = {
    "id": TEXT,
    "at": TIME,
    "client": {},
    "method": TEXT,
    "path": TEXT,
    "model": MAYBE_TEXT,
    "status": MAYBE_COUNT,
    "outcome": MAYBE_TEXT,
    "seconds": {"type": "number"},
}
_REQUEST = {
    "id": TEXT,
    "client": MAYBE_TEXT,
    "client_address": MAYBE_TEXT,
    "user_agent": MAYBE_TEXT,
    "method": TEXT,
    "route": TEXT,
    "model": MAYBE_TEXT,
    "backend": MAYBE_TEXT,
    "phase": {"enum": list(get_args(Phase))},
    "queue_seconds": MAYBE_NUMBER,
    "prompt_tokens": MAYBE_COUNT,
    "cached_tokens": MAYBE_COUNT,
    "output_tokens": MAYBE_COUNT,
    "tokens_per_second": MAYBE_NUMBER,
    "age_seconds": {"type": "number"},
    "time_to_first_token_seconds": MAYBE_NUMBER,
    "progress_estimate": MAYBE_NUMBER,
}
_MACHINE = holding(
    name=TEXT,
    url=TEXT,
    state={"enum": ["ready", "draining", "asleep", "away"]},
    error=MAYBE_TEXT,
    priority={"type": "integer"},
    models=COUNT,
    loaded=every(TEXT),
    in_flight=COUNT,
    max_streams=MAYBE_COUNT,
)
_ENDED = {
    "ended_at": TIME,
    "status": COUNT,
    "outcome": TEXT,
    "error": MAYBE_TEXT,
    "prefill_tokens_per_second": MAYBE_NUMBER,
    "decode_tokens_per_second": MAYBE_NUMBER,
}

OPERATOR_REPLIES: dict[str, Shape] = {
    "OperatorModel": holding(
        {"backends": every(holding(name=TEXT, is_loaded=BOOL, context_length=MAYBE_COUNT))},
        name=TEXT,
        key=TEXT,
        kind={"enum": ["llm", "embedding", "decision"]},
        size_bytes=MAYBE_COUNT,
        max_context_length=MAYBE_COUNT,
        context_length=MAYBE_COUNT,
        is_loaded=BOOL,
        expires_at={"type": ["string", "null"], "format": "date-time"},
    ),
    "History": holding(
        days_kept=COUNT,
        rows=every(
            holding(
                day={"type": "string", "format": "date"},
                client=TEXT,
                model=TEXT,
                requests=COUNT,
                errors=COUNT,
                prompt_tokens=COUNT,
                cached_tokens=COUNT,
                output_tokens=COUNT,
                tokens_per_second=MAYBE_NUMBER,
                time_to_first_token_seconds=MAYBE_NUMBER,
            )
        ),
    ),
    "Exchanges": holding(
        recording=holding(limit=COUNT, until=MAYBE_TEXT),
        exchanges=every(holding(**_EXCHANGE, changes=COUNT)),
    ),
    "Exchange": holding(
        **_EXCHANGE,
        error=MAYBE_TEXT,
        answer=OBJECT,
        backend=every(OBJECT),
        changes=every(_CHANGE),
        prompt_prefix={"type": ["object", "null"]},
    ),
    "Status": holding(
        {"backends": every(_MACHINE)},
        version=TEXT,
        listening=every(TEXT),
        workers=COUNT,
        started_at=TIME,
        backend=holding(url=TEXT, reachable=BOOL, api_version=MAYBE_TEXT, error=MAYBE_TEXT),
        slots=holding(total=COUNT, in_use=COUNT, waiting=COUNT),
        loaded=every(
            holding(
                {"backends": every(TEXT)},
                name=TEXT,
                size_bytes=MAYBE_COUNT,
                context_length=MAYBE_COUNT,
                expires_at=MAYBE_TEXT,
            )
        ),
        last_error={"type": ["object", "null"]},
        last_hour=every(
            holding(
                minute=TIME,
                streams=COUNT,
                tokens_per_second=MAYBE_NUMBER,
                time_to_first_token_seconds=MAYBE_NUMBER,
            )
        ),
    ),
    "Requests": holding(running=every(holding(**_REQUEST)), ended=every(holding(**_REQUEST, **_ENDED))),
    "Canceled": holding(id=TEXT, canceled=BOOL),
    "Reloaded": holding({"silent_workers": COUNT}, file=TEXT, backends=COUNT, models=COUNT, rules=COUNT, keys=COUNT),
}
"""The answers by the names of their components."""
