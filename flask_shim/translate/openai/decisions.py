"""OpenAI's decisions for an LM Studio that has only the other form: from and to Ollama's questions and answers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

from flask_shim.errors import BadRequest
from flask_shim.lmstudio.errors import BackendProtocolError
from flask_shim.translate.ollama.images import ImageConverter
from flask_shim.translate.ollama.payloads import Payload
from flask_shim.translate.ollama.requests import DecisionRequest, Question
from flask_shim.translate.ollama.systemone import as_text, to_count

_TYPES = {"predicate": "noul", "choice": "choice", "score": "score"}

Body = Mapping[str, Any]


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


def read_decisions(body: Body) -> DecisionRequest:
    """Return a request in Ollama's form, its questions named by their positions."""
    questions = body.get("questions")
    if not isinstance(questions, list) or not questions:
        raise BadRequest("questions must be a non-empty array")
    texts, images = _read_input(body.get("input"))
    return DecisionRequest(
        model=str(body.get("model")),
        state="\n\n".join(texts),
        images=tuple(images),
        questions={str(at): _read_question(at, question) for at, question in enumerate(questions)},
    )


def _read_input(value: Any) -> tuple[list[str], list[str]]:
    """Return the texts of the messages, and their images."""
    messages = [{"content": value}] if isinstance(value, str) else value
    if not isinstance(messages, list) or not all(isinstance(message, Mapping) for message in messages):
        raise BadRequest("input must be a text or an array of messages")
    texts: list[str] = []
    images: list[str] = []
    for message in messages:
        content = message.get("content")
        parts = [{"type": "input_text", "text": content}] if isinstance(content, str) else content
        if not isinstance(parts, list) or not all(isinstance(part, Mapping) for part in parts):
            raise BadRequest("content must be a text or an array of parts")
        texts.append("\n".join(str(part.get("text") or "") for part in parts if part.get("type") == "input_text"))
        images += [_read_image(part.get("image_url")) for part in parts if part.get("type") == "input_image"]
    return [text for text in texts if text], images


def _read_image(url: Any) -> str:
    head, _, data = str(url).partition(",")
    try:
        if not (head.startswith("data:image/") and head.endswith(";base64")):
            raise ValueError
        return base64.b64encode(base64.b64decode(data, validate=True)).decode()
    except (ValueError, binascii.Error) as exc:
        raise BadRequest("image_url must be a data URL with an image in base64") from exc


def _read_question(at: int, question: Any) -> Question:
    kind = question.get("type") if isinstance(question, Mapping) else None
    if kind not in _TYPES:
        raise BadRequest(f"questions[{at}].type must be predicate, choice, or score")
    criteria: Any = None
    if kind == "choice":
        rows = _rows(at, question, "choices", "value")
        criteria = {_key(row["value"]): row.get("description") for row in rows}
        if len(criteria) != len(rows):
            raise BadRequest(f"questions[{at}].choices must have different texts")
    elif kind == "score":
        criteria = [
            f"{row['label']}: {row['description']}" if row.get("description") else str(row["label"])
            for row in _rows(at, question, "levels", "label")
        ]
    return Question(type=_TYPES[kind], instructions=question.get("instructions"), criteria=criteria)


def _rows(at: int, question: Body, name: str, key: str) -> list[Body]:
    rows = question.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) and key in row for row in rows) or len(rows) < 2:
        raise BadRequest(f"questions[{at}].{name} must be an array of 2 or more objects with a {key}")
    return rows


def _key(value: Any) -> str:
    """Return the name of a choice, whose value may be a boolean."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def to_decisions(body: Body, value: Body) -> Payload:
    """Return the answer of /v1/systemone as OpenAI's."""
    given, usage = value.get("answers"), value.get("usage")
    answers = given if isinstance(given, Mapping) else {}
    counts = usage if isinstance(usage, Mapping) else {}
    tokens_in, tokens_out = (to_count(counts.get(name)) for name in ("input_tokens", "output_tokens"))
    return {
        "model": body["model"],
        "answers": [_answer(question, answers.get(str(at))) for at, question in enumerate(body["questions"])],
        "usage": {
            "input_tokens": tokens_in,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": tokens_out,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": tokens_in + tokens_out,
        },
    }


def _answer(question: Body, given: Any) -> Payload:
    if not isinstance(given, Mapping):
        raise BackendProtocolError("LM Studio's decision lacks the answer to a question")
    kind = question["type"]
    answer = {"type": kind, "name": question.get("name")}
    if kind == "predicate":
        return {**answer, "probability": given.get("noul")}
    table = given.get("probabilities")
    shares = table if isinstance(table, Mapping) else {}
    if kind == "choice":
        values = {_key(row["value"]): row["value"] for row in question["choices"]}
        rows = [{"value": value, "probability": shares.get(key)} for key, value in values.items()]
        answer["choice"] = values.get(str(given.get("choice")))
    else:
        labels = [row["label"] for row in question["levels"]]
        rows = [{"value": at, "label": label, "probability": shares.get(str(at))} for at, label in enumerate(labels)]
        answer["score"] = given.get("score")
    return {**answer, "probabilities": rows, "confidence": given.get("confidence")}
