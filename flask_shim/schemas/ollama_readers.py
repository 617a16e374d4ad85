"""Read the bodies of Ollama's own routes into typed requests, with Ollama's errors in its order.

A ``load_...`` function raises what Ollama reports while it decodes a body. Names, option values and the existence of
models are checked later, by the routes.
"""

from __future__ import annotations

from typing import Any, TypeVar

from marshmallow import ValidationError

from flask_shim.errors import BadRequest, ShimError
from flask_shim.schemas import ollama_schemas
from flask_shim.schemas.go_fields import GoSchema
from flask_shim.schemas.json_body import NumberOutOfRange, kind, member_text, read_literals, read_object
from flask_shim.schemas.unmarshal_errors import Fault, bad_request, fault_in
from flask_shim.translate.ollama import requests

MAX_TOP_LOGPROBS = 20

Generation = TypeVar("Generation", bound=requests.InferenceRequest)

_CHAT = ollama_schemas.ChatSchema()
_GENERATE = ollama_schemas.GenerateSchema()
_EMBED = ollama_schemas.EmbedSchema()
_EMBEDDINGS = ollama_schemas.EmbeddingsSchema()
_SHOW = ollama_schemas.ShowSchema()
_PULL = ollama_schemas.PullSchema()
_PUSH = ollama_schemas.PushSchema()
_CREATE = ollama_schemas.CreateSchema()
_COPY = ollama_schemas.CopySchema()
_DELETE = ollama_schemas.DeleteSchema()


def load_chat(raw: bytes) -> requests.ChatRequest:
    """Read the body of POST /api/chat; BadRequest carries Ollama's text."""
    return _in_range(requests.ChatRequest(**_with_format_text(_load(_CHAT, raw), raw)))


def load_generate(raw: bytes) -> requests.GenerateRequest:
    """Read the body of POST /api/generate; BadRequest carries Ollama's text."""
    return _in_range(requests.GenerateRequest(**_with_format_text(_load(_GENERATE, raw), raw)))


def load_embed(raw: bytes) -> requests.EmbedRequest:
    """Read the body of POST /api/embed; the request carries the error for inputs of a wrong type."""
    values = _load(_EMBED, raw)
    inputs = values.pop("input")
    listed = inputs if isinstance(inputs, list) else [inputs] if inputs not in (None, "") else []
    if not all(isinstance(text, str) for text in listed):
        return requests.EmbedRequest(**values, input_complaint="invalid input type")
    return requests.EmbedRequest(**values, inputs=tuple(listed))


def load_embeddings(raw: bytes) -> requests.EmbeddingsRequest:
    """Read the body of POST /api/embeddings; BadRequest carries Ollama's text."""
    return requests.EmbeddingsRequest(**_load(_EMBEDDINGS, raw))


def load_show(raw: bytes) -> requests.ShowRequest:
    """Read the body of POST /api/show; BadRequest carries Ollama's text."""
    return requests.ShowRequest(**_named(_load(_SHOW, raw)))


def load_pull(raw: bytes) -> requests.PullRequest:
    """Read the body of POST /api/pull; BadRequest carries Ollama's text."""
    return requests.PullRequest(**_named(_load(_PULL, raw)))


def load_push(raw: bytes) -> requests.PullRequest:
    """Read the body of POST /api/push; BadRequest carries Ollama's text."""
    return requests.PullRequest(**_named(_load(_PUSH, raw)))


def load_create(raw: bytes) -> requests.CreateRequest:
    """Read the body of POST /api/create; a license that is not text is Ollama's 500."""
    values = _named(_load(_CREATE, raw))
    quantization, _ = values.pop("quantization"), values.pop("info")  # info describes weights, which LM Studio reads
    values["quantize"] = values["quantize"] or quantization
    values["license"] = _licenses(values["license"])
    config = {name: text for name in ("renderer", "parser", "requires") if (text := values.pop(name))}
    return requests.CreateRequest(**values, config=config)


def load_copy(raw: bytes) -> requests.CopyRequest:
    """Read the body of POST /api/copy; BadRequest carries Ollama's text."""
    return requests.CopyRequest(**_load(_COPY, raw))


def load_delete(raw: bytes) -> requests.DeleteRequest:
    """Read the body of DELETE /api/delete; BadRequest carries Ollama's text."""
    return requests.DeleteRequest(**_named(_load(_DELETE, raw)))


def _load(schema: GoSchema, raw: bytes) -> dict[str, Any]:
    try:
        return schema.read(read_object(raw, f"api.{schema.struct}"))
    except NumberOutOfRange as error:
        fault = _exact_fault(schema, raw)
        if fault is None:
            raise
        raise bad_request(fault) from error
    except ValidationError as error:
        fault = fault_in(error)
        # Go repeats a number as it was written, which needs a slower reading.
        exact = _exact_fault(schema, raw) if fault.value.startswith("number ") else None
        raise bad_request(exact or fault) from error


def _exact_fault(schema: GoSchema, raw: bytes) -> Fault | None:
    try:
        schema.read(read_literals(raw, f"api.{schema.struct}"))
    except ValidationError as error:
        return fault_in(error)
    return None


def _with_format_text(values: dict[str, Any], raw: bytes) -> dict[str, Any]:
    if isinstance(values["format"], requests.InvalidFormat):
        values["format"] = requests.InvalidFormat(member_text(raw, "format"))
    return values


def _in_range(request: Generation) -> Generation:
    if not 0 <= request.top_logprobs <= MAX_TOP_LOGPROBS:
        raise BadRequest(f"top_logprobs must be between 0 and {MAX_TOP_LOGPROBS}")
    return request


def _named(values: dict[str, Any]) -> dict[str, Any]:
    name = values.pop("name")
    return {**values, "model": values["model"] or name}


def _licenses(value: Any) -> tuple[str, ...]:
    if value is None or isinstance(value, str):
        return (value,) if value else ()
    if not isinstance(value, list):
        raise ShimError(f"json: cannot unmarshal {kind(value)} into Go value of type []string")
    for text in value:
        if not isinstance(text, (str, type(None))):
            raise ShimError(f"json: cannot unmarshal {kind(text)} into Go value of type string")
    return tuple(text or "" for text in value)
