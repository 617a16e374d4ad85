"""Read the bodies of Ollama's own routes into typed requests, with Ollama's errors in its order.

A ``load_...`` function raises what Ollama reports while it decodes a body: BadRequest with its text. Names, option
values and the existence of models are checked later, by the routes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask_shim.errors import BadRequest, ShimError
from flask_shim.schemas.go_fields import (
    GoAny,
    GoBool,
    GoInt,
    GoList,
    GoMap,
    GoObject,
    GoSchema,
    GoString,
    GoUnmarshaler,
    LowerCase,
    OrderedMap,
)
from flask_shim.schemas.json_body import NumberOutOfRange, kind, member_text, read_literals, read_object
from flask_shim.schemas.ollama_fields import schema_of
from flask_shim.schemas.tools import TOOLS
from flask_shim.schemas.unmarshal_errors import Fault, bad_request
from flask_shim.translate.ollama import requests

MAX_TOP_LOGPROBS = 20

Request = TypeVar("Request")

_DEBUG: dict[str, Any] = {"debug_render_only": GoBool(data_key="_debug_render_only")}
_OLD_NAME: dict[str, Any] = {"name": GoString()}
"""The deprecated field for the model."""


class ToolCallFunctionSchema(GoSchema):
    """A function and its arguments: an object, never JSON in a string as in OpenAI's API."""

    struct = "ToolCallFunction"

    index = GoInt()
    name = GoString()
    arguments = OrderedMap()


class ToolCallSchema(GoSchema):
    """A call in the history; OpenAI's ``type`` is ignored."""

    struct = "ToolCall"

    id = GoString()
    function: GoObject[dict[str, Any]] = GoObject(ToolCallFunctionSchema(), dict, "api.ToolCallFunction")


def _tool_call(id: str, function: dict[str, Any]) -> requests.ToolCall:  # noqa: A002  # the name of the field
    return requests.ToolCall(name=function["name"], arguments=function["arguments"], id=id)


MessageSchema = schema_of(
    requests.Message,
    "Alias",
    role=LowerCase(),
    tool_calls=GoList(GoObject(ToolCallSchema(), _tool_call, "api.ToolCall"), "[]api.ToolCall"),
)
"""One message. Content is a string: OpenAI's lists of parts are rejected."""


MESSAGES = GoList(GoUnmarshaler(MessageSchema(), requests.Message, "api.Alias"), "[]api.Message")

ChatSchema = schema_of(requests.ChatRequest, messages=MESSAGES, tools=TOOLS, **_DEBUG)
GenerateSchema = schema_of(requests.GenerateRequest, **_DEBUG)
EmbedSchema = schema_of(requests.EmbedRequest, inputs=None, input_complaint=None, input=GoAny())
EmbeddingsSchema = schema_of(requests.EmbeddingsRequest, "EmbeddingRequest")
ShowSchema = schema_of(requests.ShowRequest, **_OLD_NAME)
PullSchema = schema_of(requests.PullRequest, **_OLD_NAME)
PushSchema = schema_of(requests.PushRequest, **_OLD_NAME)
CreateSchema = schema_of(
    requests.CreateRequest,
    **_OLD_NAME,
    from_=GoString(data_key="from"),
    license=GoAny(),
    messages=MESSAGES,
    quantization=GoString(),
    config=None,
    renderer=GoString(),
    parser=GoString(),
    requires=GoString(),
    info=GoMap(),
)
CopySchema = schema_of(requests.CopyRequest)
DeleteSchema = schema_of(requests.DeleteRequest, **_OLD_NAME)


def _reader(schema: type[GoSchema], make: Callable[..., Request]) -> Callable[[bytes], Request]:
    """Return a function that reads a body into a request."""
    fields = schema()

    def read(raw: bytes) -> Request:
        values = _load(fields, raw)
        if "name" in values:
            name = values.pop("name")
            values["model"] = values["model"] or name
        if isinstance(values.get("format"), requests.InvalidFormat):
            values["format"] = requests.InvalidFormat(member_text(raw, "format"))
        if not 0 <= values.get("top_logprobs", 0) <= MAX_TOP_LOGPROBS:
            raise BadRequest(f"top_logprobs must be between 0 and {MAX_TOP_LOGPROBS}")
        return make(**values)

    return read


def _load(schema: GoSchema, raw: bytes) -> dict[str, Any]:
    try:
        return schema.read(read_object(raw, f"api.{schema.struct}"))
    except NumberOutOfRange as error:
        exact = _exact_fault(schema, raw)
        if exact is None:
            raise
        raise bad_request(exact) from error
    except Fault as fault:
        # Go repeats a number as it was written, which needs a slower reading.
        exact = _exact_fault(schema, raw) if fault.value.startswith("number ") else None
        raise bad_request(exact or fault) from fault


def _exact_fault(schema: GoSchema, raw: bytes) -> Fault | None:
    try:
        schema.read(read_literals(raw, f"api.{schema.struct}"))
    except Fault as fault:
        return fault
    return None


def _embed(*, input: Any, **values: Any) -> requests.EmbedRequest:  # noqa: A002  # the name of the field
    listed = input if isinstance(input, list) else [input] if input not in (None, "") else []
    if not all(isinstance(text, str) for text in listed):
        return requests.EmbedRequest(**values, input_complaint="invalid input type")
    return requests.EmbedRequest(**values, inputs=tuple(listed))


def _create(*, quantization: str, info: object, license: Any, **values: Any) -> requests.CreateRequest:  # noqa: A002, ARG001
    """Return the request; ``info`` describes weights, which LM Studio reads. A license that is not text is a 500."""
    values["quantize"] = values["quantize"] or quantization
    config = {name: text for name in ("renderer", "parser", "requires") if (text := values.pop(name))}
    return requests.CreateRequest(**values, license=_licenses(license), config=config)


def _licenses(value: Any) -> tuple[str, ...]:
    if value is None or isinstance(value, str):
        return (value,) if value else ()
    if not isinstance(value, list):
        raise ShimError(f"json: cannot unmarshal {kind(value)} into Go value of type []string")
    for text in value:
        if not isinstance(text, (str, type(None))):
            raise ShimError(f"json: cannot unmarshal {kind(text)} into Go value of type string")
    return tuple(text or "" for text in value)


load_chat = _reader(ChatSchema, requests.ChatRequest)
load_generate = _reader(GenerateSchema, requests.GenerateRequest)
load_embed = _reader(EmbedSchema, _embed)
load_embeddings = _reader(EmbeddingsSchema, requests.EmbeddingsRequest)
load_show = _reader(ShowSchema, requests.ShowRequest)
load_pull = _reader(PullSchema, requests.PullRequest)
load_push = _reader(PushSchema, requests.PushRequest)
load_create = _reader(CreateSchema, _create)
load_copy = _reader(CopySchema, requests.CopyRequest)
load_delete = _reader(DeleteSchema, requests.DeleteRequest)
