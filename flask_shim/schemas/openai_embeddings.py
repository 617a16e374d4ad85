"""Request bytes of OpenAI's routes to typed asks, where the shim answers by itself instead of passing them on."""

from __future__ import annotations

from typing import Any

from flask_shim.errors import BadRequest
from flask_shim.schemas.go_fields import GoAny, GoInt, GoSchema, GoString
from flask_shim.schemas.json_body import read_object
from flask_shim.translate.ollama.requests import OpenAIEmbeddingsRequest

_FORMATS = ("float", "base64")
_OURS = ("dimensions", "encoding_format")


class EmbeddingsSchema(GoSchema):
    """POST /v1/embeddings."""

    struct = "EmbedRequest"

    model = GoString()
    input = GoAny()
    dimensions = GoInt()
    encoding_format = GoString()


_EMBEDDINGS = EmbeddingsSchema()


def load_openai_embeddings(raw: bytes) -> OpenAIEmbeddingsRequest:
    """Read the body of POST /v1/embeddings; BadRequest carries Ollama's text."""
    body = read_object(raw, "openai.EmbedRequest", empty_text="EOF")
    values = _EMBEDDINGS.read_or_refuse(body)
    encoding = _encoding(values["encoding_format"])
    inputs = _inputs(values["input"])
    are_texts = all(isinstance(text, str) for text in inputs)
    return OpenAIEmbeddingsRequest(
        model=values["model"],
        inputs=inputs if are_texts else (),
        input_complaint="" if are_texts else "invalid input type",
        dimensions=values["dimensions"],
        as_base64=encoding == "base64",
        rest={name: value for name, value in body.items() if name not in _OURS and value is not None},
    )


def _encoding(given: str) -> str:
    if given and given.lower() not in _FORMATS:
        text = f"Invalid value for 'encoding_format' = {given}. Supported values: {list(_FORMATS)}."
        raise BadRequest(text, log_text="Invalid value for 'encoding_format'")
    return given.lower()


def _inputs(value: Any) -> tuple[Any, ...]:
    if value is None or value == []:
        raise BadRequest("invalid input")
    return tuple(value) if isinstance(value, list) else (value,)
