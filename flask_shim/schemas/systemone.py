"""The body of POST /v1/systemone: questions for a decision model."""

from __future__ import annotations

from typing import Any

from flask_shim.errors import BodyTooLarge
from flask_shim.schemas.go_fields import GoAny, GoField, GoList, GoSchema, GoString, OwnReader
from flask_shim.schemas.json_body import read_object
from flask_shim.schemas.ollama_fields import Image, KeepAlive, schema_of
from flask_shim.schemas.unmarshal_errors import NO_OBJECT, refusal
from flask_shim.translate.ollama.requests import DecisionRequest, Question

MAX_BYTES = 32 << 20
MAX_TEXT_BYTES = 64 << 10
"""Of a body without the data of its images."""


class Questions(GoField[dict[str, Question]]):
    """The questions by their names, in the client's order."""

    zero = dict

    def _read(self, value: Any) -> dict[str, Question]:
        if not isinstance(value, dict):
            raise refusal(NO_OBJECT)
        return {name: _QUESTION._read({} if given is None else given) for name, given in value.items()}


_QUESTION = OwnReader(schema_of(Question)(), Question, "decision.Question")


class SystemOneSchema(GoSchema):
    """POST /v1/systemone."""

    struct = "Request"

    model = GoString()
    state = GoAny()
    images = GoList(Image(), "[]api.ImageData")
    videos = GoList(GoAny(), "[]json.RawMessage")
    questions = Questions()
    keep_alive = KeepAlive()


_SYSTEMONE = SystemOneSchema()


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
