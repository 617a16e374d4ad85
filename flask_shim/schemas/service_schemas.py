"""The bodies of the service routes, and of the operator's: chats with settings in ranges, loads and unloads."""

from __future__ import annotations

import base64
import binascii
import codecs
from collections.abc import Mapping
from typing import Any

import orjson
from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validate

from flask_shim.errors import BadRequest
from flask_shim.translate.ollama.requests import Message

IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp")
UNPROCESSABLE = 422
"""The status for an invalid body, on these routes only."""


class Image(fields.Field[str]):
    """An image as base64; only its bytes decide what it is."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:  # noqa: ARG002
        if not isinstance(value, Mapping) or not isinstance(value.get("data_base64"), str):
            raise ValidationError("Must be an object with data_base64 and mime_type.")
        if value.get("mime_type") not in IMAGE_TYPES:
            raise ValidationError(f"mime_type must be one of {', '.join(IMAGE_TYPES)}.")
        try:
            return base64.b64encode(base64.b64decode(value["data_base64"], validate=True)).decode()
        except binascii.Error as exc:
            raise ValidationError("data_base64 is not base64.") from exc


class ServiceSchema(Schema):
    """An object; unknown fields are ignored."""

    class Meta:
        """marshmallow's options."""

        unknown = EXCLUDE


class MessageSchema(ServiceSchema):
    """One chat turn."""

    role = fields.String(required=True, validate=validate.OneOf(("system", "user", "assistant")))
    content = fields.String(load_default="", allow_none=True)
    images = fields.List(Image(), load_default=list, allow_none=True)

    @post_load
    def _message(self, values: dict[str, Any], **_: Any) -> Message:
        return Message(values["role"], values["content"] or "", images=tuple(values["images"] or ()))


class ChatConfigSchema(ServiceSchema):
    """Sampling settings, each in its range."""

    temperature = fields.Float(validate=validate.Range(0, 2), allow_none=True)
    max_tokens = fields.Integer(data_key="maxTokens", strict=True, validate=validate.Range(1), allow_none=True)
    top_p = fields.Float(data_key="topP", validate=validate.Range(0, 1), allow_none=True)
    presence_penalty = fields.Float(data_key="presencePenalty", validate=validate.Range(-2, 2), allow_none=True)
    frequency_penalty = fields.Float(data_key="frequencyPenalty", validate=validate.Range(-2, 2), allow_none=True)


class ChatSchema(ServiceSchema):
    """A chat: its model, turns and settings."""

    model_key = fields.String(load_default="", allow_none=True)
    messages = fields.List(fields.Nested(MessageSchema), required=True, validate=validate.Length(min=1))
    config = fields.Nested(ChatConfigSchema, load_default=dict, allow_none=True)


class LoadSchema(ServiceSchema):
    """The model to load and its settings; lengths are in tokens."""

    model_key = fields.String(required=True, validate=validate.Length(min=1))
    exclusive = fields.Boolean(load_default=False)
    context_length = fields.Integer(strict=True, validate=validate.Range(1))
    eval_batch_size = fields.Integer(strict=True, validate=validate.Range(1))
    num_experts = fields.Integer(strict=True, validate=validate.Range(1))
    flash_attention = fields.Boolean()
    offload_kv_cache_to_gpu = fields.Boolean()


class UnloadSchema(ServiceSchema):
    """The models to unload: one or all."""

    model_key = fields.String(load_default="", allow_none=True)
    unload_all = fields.Boolean(load_default=False)


class RecordingSchema(ServiceSchema):
    """How many requests the inspector keeps, and for how long."""

    limit = fields.Integer(load_default=20, strict=True, validate=validate.Range(1, 200))
    minutes = fields.Integer(load_default=15, strict=True, validate=validate.Range(1, 1440))


class OperatorLoadSchema(ServiceSchema):
    """The model to load, its least context in tokens, and how long it is kept when idle."""

    model = fields.String(required=True, validate=validate.Length(min=1))
    context_length = fields.Integer(strict=True, validate=validate.Range(1))
    ttl_seconds = fields.Float(validate=validate.Range(0, min_inclusive=False))


class OperatorUnloadSchema(ServiceSchema):
    """The model to unload."""

    model = fields.String(required=True, validate=validate.Length(min=1))


def read(schema: Schema, raw: bytes) -> dict[str, Any]:
    """Return the checked body; BadRequest names the wrong fields."""
    try:
        body = orjson.loads(_as_utf8(raw))
    except orjson.JSONDecodeError as exc:
        raise BadRequest("the body is not JSON", status=UNPROCESSABLE) from exc
    if not isinstance(body, dict):
        raise BadRequest("the body is not a JSON object", status=UNPROCESSABLE)
    try:
        values: dict[str, Any] = schema.load(body)
    except ValidationError as exc:
        raise BadRequest("; ".join(_faults(exc.messages, "")), status=UNPROCESSABLE) from exc
    return values


def _as_utf8(raw: bytes) -> bytes:
    """Return the body in UTF-8: Windows PowerShell 5 sends Latin-1 by default, and editors add a byte-order mark."""
    raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1").encode()
    return raw


def _faults(messages: Any, path: str) -> list[str]:
    """Return marshmallow's nested messages as lines of path and text."""
    if isinstance(messages, Mapping):
        inner = ((f"{path}.{key}" if path else str(key), value) for key, value in messages.items())
        return [line for where, value in inner for line in _faults(value, where)]
    texts = messages if isinstance(messages, list) else [messages]
    return [f"{path}: {text}" for text in texts]
