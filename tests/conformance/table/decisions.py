"""Questions to a decision model (section 8.8)."""

from __future__ import annotations

from typing import Any

from conformance.row import Row, error, openai_error, post
from conformance.table.lists import show
from support.shapes import POSITIVE, TEXT, Shape, mapping, matching

SHARE = Shape("a number from 0 to 1", lambda value: isinstance(value, float) and 0 <= value <= 1)
TEAMS = {"shipping": "late or damaged", "billing": None}
LEVELS = ["later", "today"]
LETTER = "The parcel came late. This is for shipping"

NOUL = {"type": "noul", "instructions": "Is it late?"}
CHOICE = {"type": "choice", "instructions": "Who answers it?", "criteria": TEAMS}
SCORE = {"type": "score", "instructions": "How urgent is it?", "criteria": LEVELS}

USAGE = {"input_tokens": POSITIVE, "output_tokens": 0}


def ask(name: str, body: dict[str, Any], **more: Any) -> Row:
    """Make a row of a question to the decision model, unless ``body`` names another one."""
    asked = {"model": "tiny-decide", "state": LETTER, "questions": {"q": NOUL}}
    return post("8.8", name, "/v1/systemone", {**asked, **body}, **more)


def refused(name: str, question: Any, text: str) -> Row:
    """Make a row of a question that is wrong."""
    return ask(name, {"questions": {"q": question}}, **error(400, f'question "q": {text}'))


ROWS: tuple[Row, ...] = (
    show("what tiny-decide can do", {"model": "tiny-decide"}, {"capabilities": ["decision"]}),
    ask(
        "three kinds of questions",
        {"model": "Tiny-Decide:latest", "questions": {"noul": NOUL, "choice": CHOICE, "a score": SCORE}},
        json={
            "model": "Tiny-Decide:latest",
            "answers": {
                "noul": {"type": "noul", "noul": SHARE},
                "choice": {
                    "type": "choice",
                    "choice": "shipping",
                    "probabilities": {"shipping": SHARE, "billing": SHARE},
                    "confidence": SHARE,
                },
                "a score": {
                    "type": "score",
                    "score": SHARE,
                    "legend": {"0": "later", "1": "today"},
                    "probabilities": {"0": SHARE, "1": SHARE},
                    "confidence": SHARE,
                },
            },
            "usage": USAGE,
        },
    ),
    ask(
        "any state, and a time to stay",
        {"state": {"letter": [LETTER, 1]}, "keep_alive": "5m", "stream": True, "options": {"num_ctx": "x"}},
        json={"model": "tiny-decide", "answers": {"q": {"type": "noul", "noul": SHARE}}, "usage": USAGE},
    ),
    post("8.8", "nothing is no request", "/v1/systemone", **error(400, "missing request body")),
    ask("a model is needed", {"model": " "}, **error(400, "model is required")),
    ask("an unknown model is not there", {"model": "nope"}, **error(404, "model 'nope' not found")),
    ask("plain makes no decisions", {"model": "plain"}, **error(400, '"plain" does not support decision')),
    ask("a state is needed", {"state": None}, **error(400, "state: must be a string, object, or array")),
    ask("a state says something", {"state": ""}, **error(400, "state must not be empty")),
    ask("questions are needed", {"questions": {}}, **error(400, "questions must contain 1\N{EN DASH}64 fields")),
    ask(
        "no more than 64 questions",
        {"questions": dict.fromkeys(map(str, range(65)), NOUL)},
        **error(400, "questions must contain 1\N{EN DASH}64 fields"),
    ),
    ask("no videos", {"videos": ["x"]}, **error(400, "video inputs are not supported")),
    ask(
        "no images for a model that is blind",
        {"images": ["aGVsbG8="]},
        **error(400, "image inputs are not supported by this decision model"),
    ),
    ask(
        "no data URLs",
        {"images": ["data:image/png;base64,aGVsbG8="]},
        **error(400, "illegal base64 data at input byte 4"),
    ),
    ask("no long texts", {"state": "x" * 65536}, **error(413, "request body must not exceed 64 KiB without images")),
    ask("a prompt that is too long", {"state": "x" * 60000}, **error(400, matching(".*context.*"))),
    refused("instructions are needed", {"type": "noul"}, "instructions must be a nonempty string, object, or array"),
    refused("a type is needed", {"instructions": "x"}, "type must be choice, noul, or score"),
    refused(
        "an option alone is no choice",
        {**CHOICE, "criteria": {"a": None}},
        "criteria must contain 2\N{EN DASH}26 candidates",
    ),
    refused(
        "levels are an array", {**SCORE, "criteria": {"a": "b"}}, "score criteria must be an array of descriptions"
    ),
    ask(
        "more levels than LM Studio takes",
        {"questions": {"q": {**SCORE, "criteria": list("abcdefghijk")}}},
        **error(400, TEXT),
        differs=(
            "LM Studio's limits for decisions apply, too, with its own texts: its engine takes at most 10 levels, "
            "where Ollama takes 26."
        ),
    ),
    *(
        post("8.8", f"a decision model is not for {path}", path, {"model": "tiny-decide", **body}, **error(400, text))
        for path, body, text in (
            ("/api/chat", {"messages": [{"role": "user", "content": "x"}]}, '"tiny-decide" does not support chat'),
            ("/api/generate", {"prompt": "x"}, '"tiny-decide" does not support generate'),
        )
    ),
    post(
        "8.8",
        "OpenAI's form",
        "/v1/decisions",
        {"model": "tiny-decide", "input": LETTER, "questions": [{"type": "predicate", "instructions": "Late?"}]},
        json={
            "model": "tiny-decide",
            "answers": [{"type": "predicate", "name": None, "probability": SHARE}],
            "usage": mapping(Shape("anything", lambda _: True), {"input_tokens": POSITIVE}),
        },
        differs="/v1/decisions, OpenAI's form of the same, exists; Ollama has no such route.",
    ),
    post(
        "8.8",
        "OpenAI's form with another model",
        "/v1/decisions",
        {"model": "plain", "input": LETTER, "questions": [{"type": "predicate", "instructions": "Late?"}]},
        **openai_error(400, '"plain" does not support decision'),
    ),
)
