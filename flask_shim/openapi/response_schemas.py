"""JSON Schemas of the answers; tests check real answers with them."""

from __future__ import annotations

from typing import Any

Shape = dict[str, Any]

TEXT: Shape = {"type": "string"}
MAYBE_TEXT: Shape = {"type": ["string", "null"]}
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


def members(shape: Shape, *names: str) -> dict[str, Shape]:
    """Return members of an object that have the same schema."""
    return dict.fromkeys(names, shape)


def holding(optional: dict[str, Shape] | None = None, /, **always: Shape) -> Shape:
    """Return the schema of an object with its required and its optional members."""
    return {"type": "object", "properties": {**always, **(optional or {})}, "required": list(always)}


_METRICS = {
    **members(COUNT, "prompt_eval_count", "prompt_eval_cached_count", "eval_count"),
    **members(NANOSECONDS, "total_duration", "load_duration", "prompt_eval_duration", "eval_duration"),
}
_ENDING = {"done_reason": {"enum": ["stop", "length", "load", "unload"]}, **_METRICS, "logprobs": every(OBJECT)}
_CALL = holding({"id": TEXT}, function=holding({"index": COUNT}, name=TEXT, arguments=OBJECT))
_DETAILS = holding(
    {"context_length": COUNT, "parent_model": TEXT},
    **members(TEXT, "format", "family", "parameter_size", "quantization_level"),
    families=every(TEXT),
)
_THINK: Shape = {"type": ["boolean", "string"]}
_THINKING = holding(values=every(_THINK), default=_THINK)
_ANSWER = holding({"noul": SHARE, "choice": TEXT, "confidence": SHARE}, type={"enum": ["noul", "choice", "score"]})
_LISTED = {"name": TEXT, "model": TEXT, "size": COUNT, "digest": {"type": "string", "minLength": 64}}
_SERVICE_MODEL = {"key": TEXT, "display_name": TEXT}

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
        {
            "lmstudio": TEXT,
            "generation": {"enum": ["v1", "v0", "openai"]},
            "models": COUNT,
            "error": TEXT,
            "backends": OBJECT,
        },
        status={"enum": ["ok", "draining", "unavailable"]},
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
    "Loaded": holding({"model": holding(**_SERVICE_MODEL)}, loaded=BOOL, error=MAYBE_TEXT),
    "Unloaded": holding(success=BOOL, unloaded_keys=every(TEXT), error=MAYBE_TEXT),
    "ServiceAnswer": holding(model=TEXT, content=TEXT, stop_reason=TEXT, predicted_tokens=COUNT),
    "ServicePiece": holding(
        {"content": TEXT, "model": TEXT, "stop_reason": TEXT, "predicted_tokens": COUNT, "detail": TEXT},
        type={"enum": ["fragment", "done", "error"]},
    ),
    "ServiceRoutes": holding(service=TEXT, endpoints=every(holding(method=TEXT, path=TEXT, description=TEXT))),
    "OllamaError": holding(error=TEXT),
    "OpenAIError": holding(error=holding({"param": {}, "code": {}}, message=TEXT, type=TEXT)),
    "AnthropicError": holding(type={"const": "error"}, error=holding(type=TEXT, message=TEXT), request_id=TEXT),
    "ServiceError": holding(detail=TEXT),
}
"""The answers by the names of their components; they may have further members."""
