"""JSON Schemas of the answers of the operator's routes."""

from __future__ import annotations

from flask_shim.openapi.response_schemas import (
    BOOL,
    COUNT,
    MAYBE_COUNT,
    MAYBE_NUMBER,
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
    "model": {"type": ["string", "null"]},
    "status": {"type": ["integer", "null"]},
    "outcome": {"type": ["string", "null"]},
    "seconds": {"type": "number"},
}
_TEXT_OR_NULL: Shape = {"type": ["string", "null"]}
_COUNT_OR_NULL: Shape = {"type": ["integer", "null"]}
_NUMBER_OR_NULL: Shape = {"type": ["number", "null"]}
_REQUEST = {
    "id": TEXT,
    "client": _TEXT_OR_NULL,
    "client_address": _TEXT_OR_NULL,
    "user_agent": _TEXT_OR_NULL,
    "method": TEXT,
    "route": TEXT,
    "model": _TEXT_OR_NULL,
    "backend": _TEXT_OR_NULL,
    "phase": {
        "enum": [
            *("answering", "queued", "waking a machine", "loading"),
            *("reading the prompt", "generating", "sending"),
        ]
    },
    "queue_seconds": _NUMBER_OR_NULL,
    "prompt_tokens": _COUNT_OR_NULL,
    "cached_tokens": _COUNT_OR_NULL,
    "output_tokens": _COUNT_OR_NULL,
    "tokens_per_second": _NUMBER_OR_NULL,
    "age_seconds": {"type": "number"},
    "time_to_first_token_seconds": _NUMBER_OR_NULL,
    "progress_estimate": _NUMBER_OR_NULL,
}
_MACHINE = holding(
    name=TEXT,
    url=TEXT,
    state={"enum": ["ready", "draining", "asleep", "away"]},
    error=_TEXT_OR_NULL,
    priority={"type": "integer"},
    models=COUNT,
    loaded=every(TEXT),
    in_flight=COUNT,
    max_streams=_COUNT_OR_NULL,
)
_ENDED = {
    "ended_at": TIME,
    "status": COUNT,
    "outcome": TEXT,
    "error": _TEXT_OR_NULL,
    "prefill_tokens_per_second": _NUMBER_OR_NULL,
    "decode_tokens_per_second": _NUMBER_OR_NULL,
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
        recording=holding(limit=COUNT, until={"type": ["string", "null"]}),
        exchanges=every(holding(**_EXCHANGE, changes=COUNT)),
    ),
    "Exchange": holding(
        **_EXCHANGE,
        error={"type": ["string", "null"]},
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
        backend=holding(url=TEXT, reachable=BOOL, api_version=_TEXT_OR_NULL, error=_TEXT_OR_NULL),
        slots=holding(total=COUNT, in_use=COUNT, waiting=COUNT),
        loaded=every(
            holding(
                {"backends": every(TEXT)},
                name=TEXT,
                size_bytes=_COUNT_OR_NULL,
                context_length=_COUNT_OR_NULL,
                expires_at=_TEXT_OR_NULL,
            )
        ),
        last_error={"type": ["object", "null"]},
        last_hour=every(
            holding(
                minute=TIME,
                streams=COUNT,
                tokens_per_second=_NUMBER_OR_NULL,
                time_to_first_token_seconds=_NUMBER_OR_NULL,
            )
        ),
    ),
    "Requests": holding(running=every(holding(**_REQUEST)), ended=every(holding(**_REQUEST, **_ENDED))),
    "Canceled": holding(id=TEXT, canceled=BOOL),
    "Reloaded": holding({"silent_workers": COUNT}, file=TEXT, backends=COUNT, models=COUNT, rules=COUNT, keys=COUNT),
}
"""The answers by the names of their components."""
