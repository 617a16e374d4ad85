"""Questions in Ollama's form for an LM Studio that has only OpenAI's: its /v1/decisions, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flask_shim.errors import BadRequest
from flask_shim.lmstudio.errors import BackendProtocolError
from flask_shim.translate.ollama.images import ImageConverter
from flask_shim.translate.ollama.payloads import Payload
from flask_shim.translate.ollama.requests import DecisionRequest, Question
from flask_shim.translate.ollama.systemone import as_text


def decisions_payload(request: DecisionRequest) -> Payload:
    """Return the payload of LM Studio's /v1/decisions for a request in Ollama's form."""
    text, converter = as_text(request.state), ImageConverter()
    parts = [{"type": "input_text", "text": text}] if text.strip() else []
    parts += [{"type": "input_image", "image_url": converter.to_data_url(image)} for image in request.images]
    message = {"role": "user", "content": parts}
    return {
        "input": [message] if request.images else text,
        "questions": [_to_openai(name, question) for name, question in request.questions.items()],
    }


def _to_openai(name: str, question: Question) -> Payload:
    instructions, criteria = as_text(question.instructions), question.criteria
    if question.type == "choice":
        choices = [{"value": key} | ({"description": text} if text else {}) for key, text in criteria.items()]
        return {"type": "choice", "name": name, "instructions": instructions, "choices": choices}
    if question.type == "score":
        levels = [{"label": text} for text in criteria]
        return {"type": "score", "name": name, "instructions": instructions, "levels": levels}
    meanings = [f"{key} means: {text}" for key, text in (criteria or {}).items() if text]
    return {"type": "predicate", "name": name, "instructions": "\n".join([instructions, *meanings])}


def from_decisions(request: DecisionRequest, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer of /v1/decisions as /v1/systemone gives it."""
    given = value.get("answers")
    if not isinstance(given, list) or len(given) != len(request.questions):
        raise BackendProtocolError("LM Studio's decision does not answer every question")
    answers = zip(request.questions, given, strict=True)
    return {"answers": {name: dict(_from_answer(answer)) for name, answer in answers}, "usage": value.get("usage")}


def _from_answer(answer: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(answer, Mapping):
        return
    if answer.get("type") == "refusal":
        raise BadRequest("the model refused to answer a question")
    yield "noul", answer.get("probability")
    table = answer.get("probabilities")
    rows = [row for row in table if isinstance(row, Mapping)] if isinstance(table, list) else []
    yield "probabilities", {str(row.get("value")): row.get("probability") for row in rows}
