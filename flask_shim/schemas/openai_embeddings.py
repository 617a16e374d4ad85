"""The body of POST /v1/embeddings: LM Studio ignores two of its fields, which are applied here."""

from __future__ import annotations

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
    values = _EMBEDDINGS.read_or_reject(body)
    encoding, given = values["encoding_format"], values["input"]
    if encoding and encoding.lower() not in _FORMATS:
        text = f"Invalid value for 'encoding_format' = {encoding}. Supported values: {list(_FORMATS)}."
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
        rest={name: value for name, value in body.items() if name not in _OURS and value is not None},
    )
