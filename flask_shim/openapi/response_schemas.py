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


def array(item: Shape) -> Shape:
    """Return the schema of a list."""
    return {"type": "array", "items": item}


def members(shape: Shape, *names: str) -> dict[str, Shape]:
    """Return members of an object that have the same schema."""
    return dict.fromkeys(names, shape)


def object_of(optional: dict[str, Shape] | None = None, /, **always: Shape) -> Shape:
    """Return the schema of an object with its required and its optional members."""
    return {"type": "object", "properties": {**always, **(optional or {})}, "required": list(always)}


_METRICS = {
    **members(COUNT, "prompt_eval_count", "prompt_eval_cached_count", "eval_count"),
    **members(NANOSECONDS, "total_duration", "load_duration", "prompt_eval_duration", "eval_duration"),
}
_ENDING = {"done_reason": {"enum": ["stop", "length", "load", "unload"]}, **_METRICS, "logprobs": array(OBJECT)}
_CALL = object_of({"id": TEXT}, function=object_of({"index": COUNT}, name=TEXT, arguments=OBJECT))
_DETAILS = object_of(
    {"context_length": COUNT, "parent_model": TEXT},
    **members(TEXT, "format", "family", "parameter_size", "quantization_level"),
    families=array(TEXT),
)
_THINK: Shape = {"type": ["boolean", "string"]}
_THINKING = object_of(values=array(_THINK), default=_THINK)
_ANSWER = object_of({"noul": SHARE, "choice": TEXT, "confidence": SHARE}, type={"enum": ["noul", "choice", "score"]})
_LISTED = {"name": TEXT, "model": TEXT, "size": COUNT, "digest": {"type": "string", "minLength": 64}}
_SERVICE_MODEL = {"key": TEXT, "display_name": TEXT}

REPLIES: dict[str, Shape] = {
    "Version": object_of(version=TEXT),
    "Tags": object_of(
        models=array(object_of(**_LISTED, modified_at=TIME, details=_DETAILS, capabilities=array(TEXT))),
    ),
    "Running": object_of(
        models=array(object_of(**_LISTED, details=_DETAILS, expires_at=TIME, size_vram=COUNT, context_length=COUNT))
    ),
    "Shown": object_of(
        {"license": TEXT, "parameters": TEXT, "system": TEXT, "messages": array(OBJECT), "thinking": _THINKING},
        modelfile=TEXT,
        template=TEXT,
        details=_DETAILS,
        model_info=OBJECT,
        capabilities=array(TEXT),
        modified_at=TIME,
    ),
    "ChatRecord": object_of(
        _ENDING,
        model=TEXT,
        created_at=TIME,
        message=object_of({"thinking": TEXT, "tool_calls": array(_CALL)}, role={"const": "assistant"}, content=TEXT),
        done=BOOL,
    ),
    "GenerateRecord": object_of(
        {"thinking": TEXT, "tool_calls": array(_CALL), "context": array({"type": "integer"}), **_ENDING},
        model=TEXT,
        created_at=TIME,
        response=TEXT,
        done=BOOL,
    ),
    "Vectors": object_of(
        {"total_duration": NANOSECONDS, "load_duration": NANOSECONDS, "prompt_eval_count": COUNT},
        model=TEXT,
        embeddings=array(VECTOR),
    ),
    "Vector": object_of(embedding=VECTOR),
    "Decision": object_of(
        model=TEXT,
        answers={"type": "object", "additionalProperties": _ANSWER},
        usage=object_of(input_tokens=COUNT, output_tokens=COUNT),
    ),
    "Progress": object_of({"digest": TEXT, "total": COUNT, "completed": COUNT}, status=TEXT),
    "CloudStatus": object_of(cloud=object_of(disabled=BOOL, source=TEXT)),
    "Recommendations": object_of(
        recommendations=array(object_of({"context_length": COUNT}, model=TEXT, description=TEXT)),
    ),
    "OpenAIModel": object_of(id=TEXT, object={"const": "model"}, created=COUNT, owned_by=TEXT),
    "TokenCount": object_of(input_tokens=COUNT),
    "Alive": object_of(status={"const": "ok"}),
    "Ready": object_of(
        {
            "lmstudio": TEXT,
            "generation": {"enum": ["v1", "v0", "openai"]},
            "models": COUNT,
            "error": TEXT,
            "backends": OBJECT,
        },
        status={"enum": ["ok", "draining", "unavailable"]},
    ),
    "ServiceModels": object_of(
        models=array(
            object_of(
                **_SERVICE_MODEL,
                type={"enum": ["llm", "embedding", "decision"]},
                context_length={"type": ["integer", "null"]},
                instances=array(TEXT),
            )
        )
    ),
    "Loaded": object_of({"model": object_of(**_SERVICE_MODEL)}, loaded=BOOL, error=MAYBE_TEXT),
    "Unloaded": object_of(success=BOOL, unloaded_keys=array(TEXT), error=MAYBE_TEXT),
    "ServiceAnswer": object_of(model=TEXT, content=TEXT, stop_reason=TEXT, predicted_tokens=COUNT),
    "ServicePiece": object_of(
        {"content": TEXT, "model": TEXT, "stop_reason": TEXT, "predicted_tokens": COUNT, "detail": TEXT},
        type={"enum": ["fragment", "done", "error"]},
    ),
    "ServiceRoutes": object_of(service=TEXT, endpoints=array(object_of(method=TEXT, path=TEXT, description=TEXT))),
    "OllamaError": object_of(error=TEXT),
    "OpenAIError": object_of(error=object_of({"param": {}, "code": {}}, message=TEXT, type=TEXT)),
    "AnthropicError": object_of(type={"const": "error"}, error=object_of(type=TEXT, message=TEXT), request_id=TEXT),
    "ServiceError": object_of(detail=TEXT),
}
"""The answers by the names of their components; they may have further members."""
