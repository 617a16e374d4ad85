"""JSON Schemas of the answers; tests check real answers with them."""

from __future__ import annotations

from typing import Any

Shape = dict[str, Any]

TEXT: Shape = {"type": "string"}
BOOL: Shape = {"type": "boolean"}
COUNT: Shape = {"type": "integer", "minimum": 0}
MAYBE_COUNT: Shape = {"type": ["integer", "null"], "minimum": 0}
MAYBE_NUMBER: Shape = {"type": ["number", "null"], "minimum": 0}
TIME: Shape = {"type": "string", "format": "date-time"}
SHARE: Shape = {"type": "number", "minimum": 0, "maximum": 1}
VECTOR: Shape = {"type": "array", "items": {"type": "number"}}
NANOSECONDS: Shape = {"type": "integer", "minimum": 0, "description": "Nanoseconds."}
OBJECT: Shape = {"type": "object"}
"""LM Studio's own answer."""


def ref(name: str) -> Shape:
    """Return a reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def every(item: Shape) -> Shape:
    """Return the schema of a list."""
    return {"type": "array", "items": item}


def holding(optional: dict[str, Shape] | None = None, /, **always: Shape) -> Shape:
    """Return the schema of an object with its required and its optional members."""
    return {"type": "object", "properties": {**always, **(optional or {})}, "required": list(always)}


_METRICS = {
    "total_duration": NANOSECONDS,
    "load_duration": NANOSECONDS,
    "prompt_eval_count": COUNT,
    "prompt_eval_cached_count": COUNT,
    "prompt_eval_duration": NANOSECONDS,
    "eval_count": COUNT,
    "eval_duration": NANOSECONDS,
}
_ENDING = {"done_reason": {"enum": ["stop", "length", "load", "unload"]}, **_METRICS, "logprobs": every(OBJECT)}
_CALL = holding({"id": TEXT}, function=holding({"index": COUNT}, name=TEXT, arguments=OBJECT))
_DETAILS = holding(
    {"context_length": COUNT, "parent_model": TEXT},
    format=TEXT,
    family=TEXT,
    families=every(TEXT),
    parameter_size=TEXT,
    quantization_level=TEXT,
)
_THINK: Shape = {"type": ["boolean", "string"]}
_THINKING = holding(values=every(_THINK), default=_THINK)
_ANSWER = holding({"noul": SHARE, "choice": TEXT, "confidence": SHARE}, type={"enum": ["noul", "choice", "score"]})
_LISTED = {"name": TEXT, "model": TEXT, "size": COUNT, "digest": {"type": "string", "minLength": 64}}
_SERVICE_MODEL = {"key": TEXT, "display_name": TEXT}

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
    "backend": TEXT,
    "phase": {"enum": ["answering", "queued", "loading", "reading the prompt", "generating", "sending"]},
    "queue_seconds": _NUMBER_OR_NULL,
    "prompt_tokens": _COUNT_OR_NULL,
    "cached_tokens": _COUNT_OR_NULL,
    "output_tokens": _COUNT_OR_NULL,
    "tokens_per_second": _NUMBER_OR_NULL,
    "age_seconds": {"type": "number"},
    "time_to_first_token_seconds": _NUMBER_OR_NULL,
    "progress_estimate": _NUMBER_OR_NULL,
}
_ENDED = {
    "ended_at": TIME,
    "status": COUNT,
    "outcome": TEXT,
    "error": _TEXT_OR_NULL,
    "prefill_tokens_per_second": _NUMBER_OR_NULL,
    "decode_tokens_per_second": _NUMBER_OR_NULL,
}

REPLIES: dict[str, Shape] = {
    "Version": holding(version=TEXT),
    "Tags": holding(
        models=every(holding(**_LISTED, modified_at=TIME, details=_DETAILS, capabilities=every(TEXT))),
    ),
    "Running": holding(
        models=every(holding(**_LISTED, details=_DETAILS, expires_at=TIME, size_vram=COUNT, context_length=COUNT))
    ),
    "Shown": holding(
        {"license": TEXT, "parameters": TEXT, "system": TEXT, "messages": every(OBJECT), "thinking": _THINKING},
        modelfile=TEXT,
        template=TEXT,
        details=_DETAILS,
        model_info=OBJECT,
        capabilities=every(TEXT),
        modified_at=TIME,
    ),
    "ChatRecord": holding(
        _ENDING,
        model=TEXT,
        created_at=TIME,
        message=holding({"thinking": TEXT, "tool_calls": every(_CALL)}, role={"const": "assistant"}, content=TEXT),
        done=BOOL,
    ),
    "GenerateRecord": holding(
        {"thinking": TEXT, "tool_calls": every(_CALL), "context": every({"type": "integer"}), **_ENDING},
        model=TEXT,
        created_at=TIME,
        response=TEXT,
        done=BOOL,
    ),
    "Vectors": holding(
        {"total_duration": NANOSECONDS, "load_duration": NANOSECONDS, "prompt_eval_count": COUNT},
        model=TEXT,
        embeddings=every(VECTOR),
    ),
    "Vector": holding(embedding=VECTOR),
    "Decision": holding(
        model=TEXT,
        answers={"type": "object", "additionalProperties": _ANSWER},
        usage=holding(input_tokens=COUNT, output_tokens=COUNT),
    ),
    "Progress": holding({"digest": TEXT, "total": COUNT, "completed": COUNT}, status=TEXT),
    "CloudStatus": holding(cloud=holding(disabled=BOOL, source=TEXT)),
    "Recommendations": holding(
        recommendations=every(holding({"context_length": COUNT}, model=TEXT, description=TEXT)),
    ),
    "OpenAIModel": holding(id=TEXT, object={"const": "model"}, created=COUNT, owned_by=TEXT),
    "TokenCount": holding(input_tokens=COUNT),
    "Alive": holding(status={"const": "ok"}),
    "Ready": holding(
        {"lmstudio": TEXT, "generation": {"enum": ["v1", "v0", "openai"]}, "models": COUNT, "error": TEXT},
        status={"enum": ["ok", "draining", "unavailable"]},
    ),
    "OperatorModel": holding(
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
    "ServiceModels": holding(
        models=every(
            holding(
                **_SERVICE_MODEL,
                type={"enum": ["llm", "embedding", "decision"]},
                context_length={"type": ["integer", "null"]},
                instances=every(TEXT),
            )
        )
    ),
    "Loaded": holding({"model": holding(**_SERVICE_MODEL)}, loaded=BOOL, error={"type": ["string", "null"]}),
    "Unloaded": holding(success=BOOL, unloaded_keys=every(TEXT), error={"type": ["string", "null"]}),
    "ServiceAnswer": holding(model=TEXT, content=TEXT, stop_reason=TEXT, predicted_tokens=COUNT),
    "ServicePiece": holding(
        {"content": TEXT, "model": TEXT, "stop_reason": TEXT, "predicted_tokens": COUNT, "detail": TEXT},
        type={"enum": ["fragment", "done", "error"]},
    ),
    "ServiceRoutes": holding(service=TEXT, endpoints=every(holding(method=TEXT, path=TEXT, description=TEXT))),
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
        version=TEXT,
        listening=every(TEXT),
        workers=COUNT,
        started_at=TIME,
        backend=holding(url=TEXT, reachable=BOOL, api_version=_TEXT_OR_NULL, error=_TEXT_OR_NULL),
        slots=holding(total=COUNT, in_use=COUNT, waiting=COUNT),
        loaded=every(
            holding(name=TEXT, size_bytes=_COUNT_OR_NULL, context_length=_COUNT_OR_NULL, expires_at=_TEXT_OR_NULL)
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
    "Reloaded": holding(file=TEXT, backends=COUNT, models=COUNT, rules=COUNT, keys=COUNT),
    "OllamaError": holding(error=TEXT),
    "OpenAIError": holding(error=holding({"param": {}, "code": {}}, message=TEXT, type=TEXT)),
    "AnthropicError": holding(type={"const": "error"}, error=holding(type=TEXT, message=TEXT), request_id=TEXT),
    "ServiceError": holding(detail=TEXT),
}
"""The answers by the names of their components; they may have further members."""
