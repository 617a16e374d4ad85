"""Ollama's questions to a decision model: the checks, LM Studio's payload, and the answers as Ollama gives them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import orjson

from flask_shim.errors import BadRequest
from flask_shim.lmstudio.errors import BackendProtocolError
from flask_shim.lmstudio.model import Model, Support
from flask_shim.translate.ollama.images import ImageConverter
from flask_shim.translate.ollama.payloads import Payload
from flask_shim.translate.ollama.quoting import go_quote
from flask_shim.translate.ollama.requests import DecisionRequest, Question

MAX_QUESTIONS = 64
OPTIONS = range(2, 27)
"""How many options a question may have."""

_TO = "\N{EN DASH}"
_OPTIONS_FAULT = f"criteria must contain {OPTIONS[0]}{_TO}{OPTIONS[-1]} candidates"


def check_decision(request: DecisionRequest, model: Model) -> None:
    """Raise Ollama's 400 for the first thing that is wrong with the questions, the images or the state."""
    if not 1 <= len(request.questions) <= MAX_QUESTIONS:
        raise BadRequest(f"questions must contain 1{_TO}{MAX_QUESTIONS} fields")
    if request.videos:
        raise BadRequest("video inputs are not supported")
    if request.images and model.vision is Support.NO:
        raise BadRequest("image inputs are not supported by this decision model")
    for number, image in enumerate(request.images):
        if not image:
            raise BadRequest(f"image {number} must not be empty")
    if not isinstance(request.state, str | dict | list):
        raise BadRequest("state: must be a string, object, or array")
    if _is_blank(request.state) and not request.images:
        raise BadRequest("state must not be empty")
    for name, question in request.questions.items():
        if fault := _fault_in(name, question):
            raise BadRequest(f"question {go_quote(name)}: {fault}", log_text=f"question: {fault}")


def _is_blank(value: Any) -> bool:
    """Tell whether the value is a text without characters; Ollama accepts empty objects and arrays."""
    return isinstance(value, str) and not value.strip()


def _fault_in(name: str, question: Question) -> str:
    """Return what is wrong with a question, "" if nothing is."""
    if not name.strip():
        return "field name must not be empty"
    if not isinstance(question.instructions, str | dict | list) or _is_blank(question.instructions):
        return "instructions must be a nonempty string, object, or array"
    check = {"noul": _fault_in_noul, "choice": _fault_in_choice, "score": _fault_in_score}.get(question.type)
    return "type must be choice, noul, or score" if check is None else check(question.criteria)


def _fault_in_noul(criteria: Any) -> str:
    texts = {} if criteria is None else criteria
    if not isinstance(texts, dict) or not all(isinstance(text, str | None) for text in texts.values()):
        return "noul criteria must be an object of true/false descriptions"
    for key, text in texts.items():
        if text is None:
            return "noul descriptions must be strings"
        if key not in ("false", "true"):
            return f"unknown noul criterion {go_quote(key)}"
    return ""


def _fault_in_choice(criteria: Any) -> str:
    if not isinstance(criteria, dict) or not all(isinstance(text, str | None) for text in criteria.values()):
        return "choice criteria must map option keys to descriptions or null"
    if not all(key.strip() for key in criteria):
        return "choice keys must not be empty"
    return "" if len(criteria) in OPTIONS else _OPTIONS_FAULT


def _fault_in_score(criteria: Any) -> str:
    if not isinstance(criteria, list) or not all(isinstance(text, str | None) for text in criteria):
        return "score criteria must be an array of descriptions"
    if None in criteria:
        return "score descriptions must be strings"
    return "" if len(criteria) in OPTIONS else _OPTIONS_FAULT


def systemone_payload(request: DecisionRequest) -> Payload:
    """Return the payload of LM Studio's /v1/systemone, which takes images as data URLs (llama.cpp's ``images``)."""
    converter = ImageConverter()
    questions = {
        name: {"type": question.type, "instructions": question.instructions}
        | ({} if question.criteria is None else {"criteria": question.criteria})
        for name, question in request.questions.items()
    }
    images = [converter.to_data_url(image) for image in request.images]
    return {"state": request.state, "questions": questions, **({"images": images} if images else {})}


def to_systemone(request: DecisionRequest, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return Ollama's answer for LM Studio's: its keys in its order, and the confidence that it computes."""
    answers, usage = value.get("answers"), value.get("usage")
    if not isinstance(answers, Mapping):
        raise BackendProtocolError("LM Studio's decision has no answers")
    counts = usage if isinstance(usage, Mapping) else {}
    return {
        "model": request.model,
        "answers": {name: _answer(name, question, answers) for name, question in request.questions.items()},
        "usage": {name: to_count(counts.get(name)) for name in ("input_tokens", "output_tokens")},
    }


def _answer(name: str, question: Question, answers: Mapping[str, Any]) -> dict[str, Any]:
    given = answers.get(name)
    if not isinstance(given, Mapping):
        raise BackendProtocolError("LM Studio's decision lacks the answer to a question")
    if question.type == "noul":
        return {"type": "noul", "noul": _probability(given.get("noul"))}
    is_choice = question.type == "choice"
    legend = dict(question.criteria) if is_choice else {str(at): text for at, text in enumerate(question.criteria)}
    table = given.get("probabilities")
    probabilities = {key: _probability(table.get(key) if isinstance(table, Mapping) else None) for key in legend}
    if is_choice:
        answer = {"type": "choice", "choice": max(probabilities, key=probabilities.__getitem__)}
    else:
        score = sum(level * share for level, share in enumerate(probabilities.values()))
        answer = {"type": "score", "score": score, "legend": legend}
    return {**answer, "probabilities": probabilities, "confidence": confidence(list(probabilities.values()))}


def confidence(probabilities: list[float]) -> float:
    """Return Ollama's measure, 1 - H / ln N; TypeSafe's, which LM Studio's engine has, is another one."""
    entropy = -sum(share * math.log(share) for share in probabilities if share > 0)
    return max(0.0, min(1.0, 1 - entropy / math.log(len(probabilities))))


def _probability(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise BackendProtocolError("LM Studio's decision has a probability that is not a number from 0 to 1")
    return float(value)


def to_count(value: Any) -> int:
    """Return a count of LM Studio, 0 for what is none."""
    return value if isinstance(value, int) and value > 0 else 0


def as_text(value: Any) -> str:
    """Return a state or instructions as text: an object or array as compact JSON, its keys in their order."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
