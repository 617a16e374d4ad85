"""Request bytes of Ollama's own routes to typed asks, with Ollama's errors in Ollama's order.

What a ``load_...`` function raises is what Ollama says while it decodes a body. Names, option values and the
existence of models are looked at later, by whoever has the ask.
"""

from __future__ import annotations

from typing import Any, TypeVar

from marshmallow import ValidationError

from flask_shim.errors import BadRequest, ShimError
from flask_shim.schemas import native
from flask_shim.schemas.body import NumberOutOfRange, kind, member_text, read_literals, read_object
from flask_shim.schemas.faults import Fault, bad_request, fault_in
from flask_shim.schemas.fields import GoSchema
from flask_shim.translate import asks

MAX_TOP_LOGPROBS = 20

Generation = TypeVar("Generation", bound=asks.GenerationAsk)

_CHAT = native.ChatSchema()
_GENERATE = native.GenerateSchema()
_EMBED = native.EmbedSchema()
_EMBEDDINGS = native.EmbeddingsSchema()
_SHOW = native.ShowSchema()
_PULL = native.PullSchema()
_PUSH = native.PushSchema()
_CREATE = native.CreateSchema()
_COPY = native.CopySchema()
_DELETE = native.DeleteSchema()


def load_chat(raw: bytes) -> asks.ChatAsk:
    """Read the body of POST /api/chat; BadRequest carries Ollama's text."""
    return _in_range(asks.ChatAsk(**_with_format_text(_load(_CHAT, raw), raw)))


def load_generate(raw: bytes) -> asks.GenerateAsk:
    """Read the body of POST /api/generate; BadRequest carries Ollama's text."""
    return _in_range(asks.GenerateAsk(**_with_format_text(_load(_GENERATE, raw), raw)))


def load_embed(raw: bytes) -> asks.EmbedAsk:
    """Read the body of POST /api/embed; inputs of a wrong type are left as the ask's complaint."""
    values = _load(_EMBED, raw)
    inputs = values.pop("input")
    listed = inputs if isinstance(inputs, list) else [inputs] if inputs not in (None, "") else []
    if not all(isinstance(text, str) for text in listed):
        return asks.EmbedAsk(**values, input_complaint="invalid input type")
    return asks.EmbedAsk(**values, inputs=tuple(listed))


def load_embeddings(raw: bytes) -> asks.EmbeddingsAsk:
    """Read the body of POST /api/embeddings; BadRequest carries Ollama's text."""
    return asks.EmbeddingsAsk(**_load(_EMBEDDINGS, raw))


def load_show(raw: bytes) -> asks.ShowAsk:
    """Read the body of POST /api/show; BadRequest carries Ollama's text."""
    return asks.ShowAsk(**_named(_load(_SHOW, raw)))


def load_pull(raw: bytes) -> asks.PullAsk:
    """Read the body of POST /api/pull; BadRequest carries Ollama's text."""
    return asks.PullAsk(**_named(_load(_PULL, raw)))


def load_push(raw: bytes) -> asks.PullAsk:
    """Read the body of POST /api/push; BadRequest carries Ollama's text."""
    return asks.PullAsk(**_named(_load(_PUSH, raw)))


def load_create(raw: bytes) -> asks.CreateAsk:
    """Read the body of POST /api/create; a license that is no text is Ollama's 500."""
    values = _named(_load(_CREATE, raw))
    quantization = values.pop("quantization")
    values["quantize"] = values["quantize"] or quantization
    return asks.CreateAsk(**{**values, "license": _licenses(values["license"])})


def load_copy(raw: bytes) -> asks.CopyAsk:
    """Read the body of POST /api/copy; BadRequest carries Ollama's text."""
    return asks.CopyAsk(**_load(_COPY, raw))


def load_delete(raw: bytes) -> asks.DeleteAsk:
    """Read the body of DELETE /api/delete; BadRequest carries Ollama's text."""
    return asks.DeleteAsk(**_named(_load(_DELETE, raw)))


def _load(schema: GoSchema, raw: bytes) -> dict[str, Any]:
    try:
        return schema.read(read_object(raw, _go_type(schema)))
    except NumberOutOfRange as error:
        fault = _exact_fault(schema, raw)
        if fault is None:
            raise
        raise bad_request(fault) from error
    except ValidationError as error:
        fault = fault_in(error)
        # Go repeats a number as it was written, which the first reading has forgotten.
        exact = _exact_fault(schema, raw) if fault.value.startswith("number ") else None
        raise bad_request(exact or fault) from error


def _exact_fault(schema: GoSchema, raw: bytes) -> Fault | None:
    try:
        schema.read(read_literals(raw, _go_type(schema)))
    except ValidationError as error:
        return fault_in(error)
    return None


def _go_type(schema: GoSchema) -> str:
    return f"api.{schema.struct}"


def _with_format_text(values: dict[str, Any], raw: bytes) -> dict[str, Any]:
    if isinstance(values["format"], asks.InvalidFormat):
        values["format"] = asks.InvalidFormat(member_text(raw, "format"))
    return values


def _in_range(ask: Generation) -> Generation:
    if not 0 <= ask.top_logprobs <= MAX_TOP_LOGPROBS:
        raise BadRequest(f"top_logprobs must be between 0 and {MAX_TOP_LOGPROBS}")
    return ask


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
