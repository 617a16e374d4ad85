"""The bodies of OpenAI's Responses and embeddings, Anthropic's Messages and Ollama's decisions.

Unknown fields are ignored. Items and blocks are checked when they are translated: a backend with these routes may
know more kinds of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_shim.errors import BadRequest, BodyTooLarge
from flask_shim.schemas.go_fields import (
    GoAny,
    GoField,
    GoInt,
    GoList,
    GoMap,
    GoObject,
    GoSchema,
    GoString,
    OrderedMap,
)
from flask_shim.schemas.json_body import kind, read_object
from flask_shim.schemas.ollama_fields import Image, KeepAlive, schema_of
from flask_shim.schemas.unmarshal_errors import refusal
from flask_shim.translate.anthropic.messages_request import MessagesRequest
from flask_shim.translate.ollama.requests import DecisionRequest, OpenAIEmbeddingsRequest, Question
from flask_shim.translate.openai.responses_request import ResponsesRequest

RESPONSES_TYPE = "openai.ResponsesRequest"
MESSAGES_TYPE = "anthropic.MessagesRequest"
"""Ollama's names for these bodies, for its error about a body that is not an object."""

MAX_BYTES = 32 << 20
MAX_TEXT_BYTES = 64 << 10
"""Of a request for decisions, with and without the data of its images."""

_ENCODINGS = ("float", "base64")
_IGNORED = ("dimensions", "encoding_format")
"""What LM Studio ignores in a request for embeddings; it is applied here."""


def load_responses(body: Mapping[str, Any]) -> ResponsesRequest:
    """Read the body of POST /v1/responses; BadRequest carries Ollama's text."""
    return ResponsesRequest(**_RESPONSES.read_or_reject(body))


def load_messages(body: Mapping[str, Any]) -> MessagesRequest:
    """Read the body of POST /v1/messages; BadRequest carries Ollama's text."""
    return MessagesRequest(**_MESSAGES.read_or_reject(body))


def load_openai_embeddings(raw: bytes) -> OpenAIEmbeddingsRequest:
    """Read the body of POST /v1/embeddings; BadRequest carries Ollama's text."""
    body = read_object(raw, "openai.EmbedRequest", empty_text="EOF")
    values = _EMBEDDINGS.read_or_reject(body)
    encoding, given = values["encoding_format"], values["input"]
    if encoding and encoding.lower() not in _ENCODINGS:
        text = f"Invalid value for 'encoding_format' = {encoding}. Supported values: {list(_ENCODINGS)}."
        raise BadRequest(text, log_text="Invalid value for 'encoding_format'")
    if given is None or given == []:
        raise BadRequest("invalid input")
    inputs = tuple(given) if isinstance(given, list) else (given,)
    are_texts = all(isinstance(text, str) for text in inputs)
    return OpenAIEmbeddingsRequest(
        model=values["model"],
        inputs=inputs if are_texts else (),
        input_complaint="" if are_texts else "invalid input type",
        dimensions=values["dimensions"],
        as_base64=encoding.lower() == "base64",
        rest={name: value for name, value in body.items() if name not in _IGNORED and value is not None},
    )


def load_systemone(raw: bytes) -> DecisionRequest:
    """Read the body of POST /v1/systemone; BadRequest and BodyTooLarge carry Ollama's text."""
    if len(raw) > MAX_BYTES:
        raise BodyTooLarge("request body must not exceed 32 MiB with images")
    body = read_object(raw, "decision.Request")
    images = body.get("images")
    image_bytes = sum(len(image) for image in images if isinstance(image, str)) if isinstance(images, list) else 0
    if len(raw) - image_bytes > MAX_TEXT_BYTES:
        raise BodyTooLarge("request body must not exceed 64 KiB without images")
    return DecisionRequest(**_SYSTEMONE.read_or_reject(body))


class Input(GoField[Any]):
    """A text, or a list of items."""

    def _read(self, value: Any) -> Any:
        if not isinstance(value, str | list):
            text = f"json: cannot unmarshal {kind(value)} into Go value of type []json.RawMessage"
            raise refusal(f"input must be a string or array: {text}")
        return value


ResponsesSchema = schema_of(ResponsesRequest, input=Input(), tools=GoList(GoMap(), "[]openai.ResponsesTool"))


class TurnSchema(GoSchema):
    """One turn of /v1/messages."""

    struct = "MessageParam"

    role = GoString()
    content = GoAny()


_TURN_KEYS = frozenset(("role", "content"))


class Turn(GoObject[dict[str, Any]]):
    """A turn as a dict of its two fields."""

    def __init__(self) -> None:
        super().__init__(TurnSchema(), dict, "anthropic.MessageParam")

    def _read(self, value: Any) -> dict[str, Any]:
        # Agents send hundreds of turns with each request, nearly all as they must be.
        is_sound = isinstance(value, dict) and value.keys() <= _TURN_KEYS and isinstance(value.get("role"), str)
        return value if is_sound else super()._read(value)


class System(GoField[Any]):
    """A text, or a list of blocks."""

    accepts, go_type = (str, list), "[]anthropic.ContentBlock"


MessagesSchema = schema_of(
    MessagesRequest,
    messages=GoList(Turn(), "[]anthropic.MessageParam"),
    system=System(),
    tools=GoList(GoMap(), "[]anthropic.Tool"),
)


class OpenAIEmbeddingsSchema(GoSchema):
    """POST /v1/embeddings."""

    struct = "EmbedRequest"

    model = GoString()
    input = GoAny()
    dimensions = GoInt()
    encoding_format = GoString()


class SystemOneSchema(GoSchema):
    """POST /v1/systemone."""

    struct = "Request"

    model = GoString()
    state = GoAny()
    images = GoList(Image(), "[]api.ImageData")
    videos = GoList(GoAny(), "[]json.RawMessage")
    questions = OrderedMap(GoObject(schema_of(Question)(), Question, "decision.Question"))
    keep_alive = KeepAlive()


_RESPONSES = ResponsesSchema()
_MESSAGES = MessagesSchema()
_EMBEDDINGS = OpenAIEmbeddingsSchema()
_SYSTEMONE = SystemOneSchema()
