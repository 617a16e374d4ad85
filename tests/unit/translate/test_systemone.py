"""Questions to a decision model in Ollama's form: what is refused, what LM Studio receives, what comes back."""

from __future__ import annotations

import pytest

from flask_shim.errors import BadRequest
from flask_shim.lmstudio.errors import BackendProtocolError
from flask_shim.lmstudio.model import Kind, Model, Support
from flask_shim.translate.ollama.requests import DecisionRequest, Question
from flask_shim.translate.ollama.systemone import check_decision, confidence, systemone_payload, to_systemone
from flask_shim.translate.openai.decisions import decisions_payload, from_decisions, to_decisions

PNG = "iVBORw0KGgpyZXN0"
PNG_URL = "data:image/png;base64,iVBORw0KGgpyZXN0"
SEER = Model(key="clef", kind=Kind.DECISION, vision=Support.YES)
BLIND = Model(key="nimble", kind=Kind.DECISION, vision=Support.NO)

TEAMS = {"shipping": "late or damaged", "billing": None}
QUESTIONS = {
    "angry": Question(type="noul", instructions="Angry?", criteria={"true": "yes, very", "false": "calm"}),
    "team": Question(type="choice", instructions={"who": "reads"}, criteria=TEAMS),
    "urgency": Question(type="score", instructions="Urgent?", criteria=["can wait", "today"]),
}


def asking(**fields):
    return DecisionRequest(**{"model": "nimble", "state": "It came late.", "questions": QUESTIONS, **fields})


def question(kind="noul", instructions="x", criteria=None):
    return {"q": Question(type=kind, instructions=instructions, criteria=criteria)}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"questions": {}}, "questions must contain 1\N{EN DASH}64 fields"),
        ({"questions": {str(n): QUESTIONS["team"] for n in range(65)}}, "questions must contain 1\N{EN DASH}64 fields"),
        ({"videos": ("x",)}, "video inputs are not supported"),
        ({"images": (PNG,)}, "image inputs are not supported by this decision model"),
        ({"state": None}, "state: must be a string, object, or array"),
        ({"state": 5}, "state: must be a string, object, or array"),
        ({"state": " \n"}, "state must not be empty"),
    ],
)
def test_the_request_is_rejected_with_ollamas_text(fields, text):
    with pytest.raises(BadRequest) as caught:
        check_decision(asking(**fields), BLIND)
    assert caught.value.text == text


@pytest.mark.parametrize(
    ("kind", "instructions", "criteria", "text"),
    [
        ("noul", "", None, "instructions must be a nonempty string, object, or array"),
        ("noul", 5, None, "instructions must be a nonempty string, object, or array"),
        ("rank", "x", None, "type must be choice, noul, or score"),
        ("noul", "x", ["a"], "noul criteria must be an object of true/false descriptions"),
        ("noul", "x", {"true": 5}, "noul criteria must be an object of true/false descriptions"),
        ("noul", "x", {"true": None}, "noul descriptions must be strings"),
        ("noul", "x", {"yes": "a"}, 'unknown noul criterion "yes"'),
        ("choice", "x", None, "choice criteria must map option keys to descriptions or null"),
        ("choice", "x", {"a": 1, "b": 2}, "choice criteria must map option keys to descriptions or null"),
        ("choice", "x", {" ": None, "b": None}, "choice keys must not be empty"),
        ("choice", "x", {"a": None}, "criteria must contain 2\N{EN DASH}26 candidates"),
        ("choice", "x", dict.fromkeys(map(str, range(27))), "criteria must contain 2\N{EN DASH}26 candidates"),
        ("score", "x", {"a": "b"}, "score criteria must be an array of descriptions"),
        ("score", "x", ["a", None], "score descriptions must be strings"),
        ("score", "x", ["a"], "criteria must contain 2\N{EN DASH}26 candidates"),
    ],
)
def test_a_question_is_refused_with_its_name(kind, instructions, criteria, text):
    with pytest.raises(BadRequest) as caught:
        check_decision(asking(questions=question(kind, instructions, criteria)), BLIND)
    assert caught.value.text == f'question "q": {text}'
    with pytest.raises(BadRequest, match=r'question "": field name must not be empty'):
        check_decision(asking(questions={"": QUESTIONS["team"]}), BLIND)


@pytest.mark.parametrize(
    "fields", [{}, {"state": {}}, {"state": "", "images": (PNG,)}, {"questions": question("score", ["x"], ["a"] * 26)}]
)
def test_a_valid_request_is_accepted(fields):
    check_decision(asking(**fields), SEER)


def test_lm_studio_receives_unchanged_questions_and_data_urls():
    payload = systemone_payload(asking(images=(PNG,), questions={**QUESTIONS, **question()}))
    assert payload == {
        "state": "It came late.",
        "questions": {
            "angry": {"type": "noul", "instructions": "Angry?", "criteria": {"true": "yes, very", "false": "calm"}},
            "team": {"type": "choice", "instructions": {"who": "reads"}, "criteria": TEAMS},
            "urgency": {"type": "score", "instructions": "Urgent?", "criteria": ["can wait", "today"]},
            "q": {"type": "noul", "instructions": "x"},
        },
        "images": [PNG_URL],
    }


def test_an_lm_studio_with_openais_form_only_receives_that():
    payload = decisions_payload(asking(state={"b": 1, "a": 2}))
    assert payload == {
        "input": '{"b":1,"a":2}',
        "questions": [
            {"type": "predicate", "name": "angry", "instructions": "Angry?\ntrue means: yes, very\nfalse means: calm"},
            {
                "type": "choice",
                "name": "team",
                "instructions": '{"who":"reads"}',
                "choices": [{"value": "shipping", "description": "late or damaged"}, {"value": "billing"}],
            },
            {
                "type": "score",
                "name": "urgency",
                "instructions": "Urgent?",
                "levels": [{"label": "can wait"}, {"label": "today"}],
            },
        ],
    }
    assert decisions_payload(asking(images=(PNG,)))["input"] == [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "It came late."},
                {"type": "input_image", "image_url": PNG_URL},
            ],
        }
    ]


ANSWER = {
    "model": "key",
    "answers": {
        "urgency": {"type": "score", "score": 0.8, "probabilities": {"1": 0.8, "0": 0.2}, "confidence": 0.6, "x": 1},
        "team": {"type": "choice", "choice": "billing", "probabilities": {"billing": 0.75, "shipping": 0.25}},
        "angry": {"type": "noul", "noul": 1},
    },
    "usage": {"input_tokens": 12, "output_tokens": 0, "x": 5},
}
OPENAI_ANSWER = {
    "model": "key",
    "answers": [
        {"type": "predicate", "name": "angry", "probability": 1},
        {
            "type": "choice",
            "name": "team",
            "choice": "billing",
            "probabilities": [{"value": "billing", "probability": 0.75}, {"value": "shipping", "probability": 0.25}],
            "confidence": 0.5,
        },
        {
            "type": "score",
            "name": "urgency",
            "score": 0.8,
            "probabilities": [{"value": 0, "label": "x", "probability": 0.2}, {"value": 1, "probability": 0.8}],
        },
    ],
    "usage": {"input_tokens": 12, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 0},
}


@pytest.mark.parametrize("value", [ANSWER, from_decisions(asking(), OPENAI_ANSWER)], ids=["systemone", "decisions"])
def test_the_answer_has_ollamas_keys_order_and_confidence(value):
    result = to_systemone(asking(), value)
    assert result == {
        "model": "nimble",
        "answers": {
            "angry": {"type": "noul", "noul": 1.0},
            "team": {
                "type": "choice",
                "choice": "billing",
                "probabilities": {"shipping": 0.25, "billing": 0.75},
                "confidence": confidence([0.25, 0.75]),
            },
            "urgency": {
                "type": "score",
                "score": 0.8,
                "legend": {"0": "can wait", "1": "today"},
                "probabilities": {"0": 0.2, "1": 0.8},
                "confidence": confidence([0.2, 0.8]),
            },
        },
        "usage": {"input_tokens": 12, "output_tokens": 0},
    }
    assert list(result["answers"]) == ["angry", "team", "urgency"]
    assert list(result["answers"]["team"]["probabilities"]) == ["shipping", "billing"]


@pytest.mark.parametrize(
    ("probabilities", "measure"),
    [([0.7, 0.2, 0.1], 0.2702), ([0.1, 0.6, 0.3], 0.1827), ([1.0, 0.0], 1.0), ([0.5, 0.5], 0.0)],
)
def test_confidence_is_measured_by_entropy_as_in_ollama(probabilities, measure):
    assert confidence(probabilities) == pytest.approx(measure, abs=1e-4)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"answers": {}},
        {"answers": {**ANSWER["answers"], "angry": {"noul": "0.5"}}},
        {"answers": {**ANSWER["answers"], "angry": {"noul": 1.5}}},
        {"answers": {**ANSWER["answers"], "team": {"probabilities": {"shipping": 1}}}},
        {"answers": {**ANSWER["answers"], "team": {"choice": "billing"}}},
    ],
)
def test_an_answer_that_lacks_something_is_a_failure_of_lm_studio(value):
    with pytest.raises(BackendProtocolError):
        to_systemone(asking(), value)


@pytest.mark.parametrize("answers", [None, [], [{}] * 2, [5, 5, 5]])
def test_too_few_answers_in_openais_form_are_a_failure_too(answers):
    with pytest.raises(BackendProtocolError):
        to_systemone(asking(), from_decisions(asking(), {"answers": answers}))


def test_a_rejection_is_passed_to_the_client():
    with pytest.raises(BadRequest, match="refused"):
        from_decisions(asking(questions=question()), {"answers": [{"type": "refusal", "name": "q"}]})


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": "many", "output_tokens": [2]}])
def test_counts_that_are_none_are_0_in_openais_form(usage):
    answer = to_decisions({"model": "nimble", "questions": []}, {"answers": {}, "usage": usage})
    assert answer["usage"]["total_tokens"] == 0
