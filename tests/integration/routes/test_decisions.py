"""Decision models on LM Studios that have /v1/systemone, /v1/decisions, both, or neither."""

from __future__ import annotations

import base64
import json

import pytest
from support.answers import silent
from support.apps import several_apps
from support.demo import Shim
from support.fake_lmstudio import CHAT, EMBEDDINGS, LOAD, UNKNOWN, FakeLMStudio, Status
from support.wire import Wire

SYSTEMONE, DECISIONS = "/v1/systemone", "/v1/decisions"
PNG = b"\x89PNG\r\n\x1a\nrest"
PNG_URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"

ASKED = {
    "model": "nimble",
    "state": "It came late.",
    "questions": {"team": {"type": "choice", "instructions": "Who?", "criteria": {"shipping": None, "billing": "x"}}},
}
NOUL = {"model": "nimble", "state": "x", "questions": {"angry": {"type": "noul", "instructions": "Angry?"}}}
OPENAI_ASKED = {
    "model": "nimble:latest",
    "input": [{"role": "user", "content": [{"type": "input_text", "text": "It came late."}]}],
    "questions": [
        {"type": "choice", "instructions": "Late?", "choices": [{"value": True}, {"value": "no", "description": "d"}]},
        {"type": "predicate", "name": "angry", "instructions": "Angry?"},
        {"type": "score", "instructions": "How?", "levels": [{"label": "a"}, {"label": "b", "description": "c"}]},
    ],
}


def systemone(asked):
    """Answer as llama.cpp does: each option gets its share in the order of the question, the first the most."""
    return {
        "model": asked.json["model"],
        "answers": dict(map(_answer, asked.json["questions"].items())),
        "usage": USAGE,
    }


def _answer(named):
    name, question = named
    if question["type"] == "noul":
        return name, {"type": "noul", "noul": 0.9}
    criteria = question["criteria"]
    keys = list(criteria) if isinstance(criteria, dict) else list(map(str, range(len(criteria))))
    shares = {"probabilities": {keys[0]: 0.75, keys[1]: 0.25}, "confidence": 0.5}
    if question["type"] == "choice":
        return name, {"type": "choice", "choice": keys[0], **shares}
    return name, {"type": "score", "score": 0.25, "legend": dict(zip(keys, criteria, strict=True)), **shares}


USAGE = {"input_tokens": 12, "output_tokens": 0}
OPENAI_ANSWER = {
    "model": "nimble",
    "answers": [
        {
            "type": "choice",
            "name": "team",
            "choice": "shipping",
            "probabilities": [{"value": "shipping", "probability": 0.75}, {"value": "billing", "probability": 0.25}],
            "confidence": 0.5,
        }
    ],
    "usage": {**USAGE, "total_tokens": 12},
}


@pytest.fixture
def studio():
    with FakeLMStudio({"nimble": 4096, "chatty": 4096, "cold": None}) as studio:
        studio.kinds |= {"nimble": "decision", "cold": "decision"}
        yield studio


@pytest.fixture
def shim(studio, tmp_path):
    """Return a function that makes a client of a shim with these settings, in front of the LM Studio."""
    with several_apps(backend_url=studio.url, data_dir=tmp_path) as app_of:
        yield lambda **settings: app_of(**settings).test_client()


@pytest.fixture
def client(shim):
    return shim()


@pytest.mark.parametrize("route", [SYSTEMONE, DECISIONS])
def test_questions_are_answered_over_either_route(route, studio, client):
    studio.answer = lambda asked: (
        None if asked.path != route else systemone(asked) if route == SYSTEMONE else OPENAI_ANSWER
    )
    answer = client.post(SYSTEMONE, data=json.dumps({**ASKED, "model": "NIMBLE:latest", "keep_alive": "5m"}))
    assert answer.status_code == 200
    assert json.loads(answer.data) == {
        "model": "NIMBLE:latest",
        "answers": {
            "team": {
                "type": "choice",
                "choice": "shipping",
                "probabilities": {"shipping": 0.75, "billing": 0.25},
                "confidence": pytest.approx(0.1887, abs=1e-4),
            }
        },
        "usage": USAGE,
    }
    [sent] = studio.posted(route)
    assert sent["model"] == "nimble"
    assert "keep_alive" not in sent


@pytest.mark.parametrize(("path", "body"), [(SYSTEMONE, ASKED), (DECISIONS, OPENAI_ASKED)])
def test_an_older_lm_studio_is_501_in_the_envelope_of_the_route(path, body, studio, client):
    answer = client.post(path, json=body)
    assert answer.status_code == 501
    error = answer.json["error"] if path == SYSTEMONE else answer.json["error"]["message"]
    assert "update LM Studio" in error
    assert studio.asked_for(SYSTEMONE)
    assert studio.asked_for(DECISIONS)


@pytest.mark.parametrize("version", ["v0", "openai"])
def test_a_server_without_kinds_gets_the_request(version, studio, client):
    studio.calm(version)
    assert client.post(SYSTEMONE, json={**ASKED, "model": "chatty"}).status_code == 501
    studio.answers[SYSTEMONE] = studio.answers[DECISIONS] = Status(404, {"error": {"message": "File Not Found"}})
    assert client.post(SYSTEMONE, json={**ASKED, "model": "chatty"}).status_code == 501
    assert client.post(DECISIONS, json={**OPENAI_ASKED, "model": "chatty"}).status_code == 501
    studio.answers[SYSTEMONE] = {**systemone_of(NOUL), "model": "chatty"}
    assert client.post(SYSTEMONE, json={**NOUL, "model": "chatty"}).json["answers"]["angry"]["noul"] == 0.9


def systemone_of(body):
    return {"answers": dict(map(_answer, body["questions"].items())), "usage": USAGE}


def test_a_model_is_loaded_before_its_request(studio, client):
    studio.answers[SYSTEMONE] = systemone_of(NOUL)
    for _ in range(2):
        assert client.post(SYSTEMONE, json={**NOUL, "model": "cold"}).status_code == 200
    assert studio.paths() == [f"POST {LOAD}", f"POST {SYSTEMONE}", f"POST {SYSTEMONE}"]


def test_a_read_only_shim_loads_nothing(studio, shim):
    studio.answers[SYSTEMONE] = Status(404, {"error": {"message": "Model is not loaded", "code": "model_not_found"}})
    assert shim(read_only=True).post(SYSTEMONE, json={**NOUL, "model": "cold"}).status_code >= 400
    assert not studio.asked_for(LOAD)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/chat", {"messages": [{"role": "user", "content": "x"}]}),
        ("/api/generate", {"prompt": "x"}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}]}),
        ("/v1/responses", {"input": "x"}),
        ("/v1/messages", {"max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}),
        ("/api/embed", {"input": "x"}),
        ("/v1/embeddings", {"input": "x"}),
    ],
)
def test_a_decision_model_neither_writes_nor_embeds(path, body, studio, client):
    answer = client.post(path, json={"model": "nimble", **body})
    assert answer.status_code == 400
    assert '"nimble\\" does not support' in answer.text
    assert not studio.asked_for(CHAT)
    assert not studio.asked_for(EMBEDDINGS)


def test_a_decision_model_is_listed_with_that_capability_alone(client):
    listed = {entry["name"]: entry["capabilities"] for entry in client.get("/api/tags").json["models"]}
    assert listed["nimble:latest"] == ["decision"]
    assert client.post("/api/show", json={"model": "nimble"}).json["capabilities"] == ["decision"]
    recommended = client.get("/api/experimental/model-recommendations").json["recommendations"]
    assert [entry["model"] for entry in recommended] == ["chatty:latest"]


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b"", 400, "missing request body"),
        (b"[]", 400, "json: cannot unmarshal array into Go value of type decision.Request"),
        ({"model": " "}, 400, "model is required"),
        ({**ASKED, "model": "nope"}, 404, "model 'nope' not found"),
        ({**ASKED, "model": "chatty"}, 400, '"chatty" does not support decision'),
        ({**ASKED, "questions": {}}, 400, "questions must contain 1\N{EN DASH}64 fields"),
        ({**ASKED, "questions": {"q": "x"}}, 400, "json: cannot unmarshal string into Go struct field"),
        ({**ASKED, "images": [PNG_URL]}, 400, "illegal base64 data at input byte 4"),
        ({**ASKED, "state": "x" * 65536}, 413, "request body must not exceed 64 KiB without images"),
        ({**ASKED, "images": ["A" * (32 << 20)]}, 413, "request body must not exceed 32 MiB with images"),
    ],
)
def test_errors_have_ollamas_text_and_envelope(body, status, text, studio, client):
    answer = client.post(SYSTEMONE, data=body if isinstance(body, bytes) else json.dumps(body))
    assert (answer.status_code, answer.json.keys()) == (status, {"error"})
    assert answer.json["error"].startswith(text)
    assert not studio.asked_for(SYSTEMONE)


def test_large_images_are_no_text(studio, client):
    studio.answers[SYSTEMONE] = systemone_of(NOUL)
    image = base64.b64encode(PNG + bytes(80_000)).decode()
    assert client.post(SYSTEMONE, json={**NOUL, "images": [image]}).status_code == 200
    [sent] = studio.posted(SYSTEMONE)
    assert sent["images"] == [f"data:image/png;base64,{image}"]


@pytest.mark.parametrize("path", [SYSTEMONE, DECISIONS])
def test_a_rejection_of_one_route_is_not_sent_to_the_other(path, studio, client):
    gone = {"error": {"message": "no such model", "code": "model_not_found"}}
    studio.answers[path] = Status(404, gone)
    assert client.post(path, json=ASKED if path == SYSTEMONE else OPENAI_ASKED).status_code == 404
    assert len(studio.asked_for(SYSTEMONE) + studio.asked_for(DECISIONS)) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"error": {"message": "request (9000 tokens) exceeds the available context size (4096 tokens)"}}, 400),
        ({"detail": {"message": "too many options", "error_type": "api_usage_error"}}, 422),
        ({"error": "questions.team: too many options (9), this model supports at most 5"}, 400),
    ],
)
def test_a_rejection_by_lm_studio_is_400(body, status, studio, client):
    studio.answers[SYSTEMONE] = Status(status, body)
    answer = client.post(SYSTEMONE, json=ASKED)
    assert answer.status_code == 400
    assert isinstance(answer.json["error"], str)


def test_openais_decisions_are_passed_on_byte_for_byte(studio, client):
    studio.answers[DECISIONS] = b'{"model": "nimble",  "answers": []}'
    answer = client.post(DECISIONS, json=OPENAI_ASKED)
    assert answer.data == b'{"model": "nimble",  "answers": []}'
    assert studio.posted(DECISIONS) == [{**OPENAI_ASKED, "model": "nimble"}]


def test_openais_decisions_work_where_lm_studio_has_only_systemone(studio, client):
    studio.answer = lambda asked: systemone(asked) if asked.path == SYSTEMONE else UNKNOWN
    message = {"type": "input_image", "image_url": PNG_URL}
    body = {**OPENAI_ASKED, "input": [*OPENAI_ASKED["input"], {"role": "user", "content": [message]}]}
    answer = client.post(DECISIONS, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json["model"] == "nimble:latest"
    assert answer.json["answers"] == [
        {
            "type": "choice",
            "name": None,
            "choice": True,
            "probabilities": [{"value": True, "probability": 0.75}, {"value": "no", "probability": 0.25}],
            "confidence": 0.5,
        },
        {"type": "predicate", "name": "angry", "probability": 0.9},
        {
            "type": "score",
            "name": None,
            "score": 0.25,
            "probabilities": [
                {"value": 0, "label": "a", "probability": 0.75},
                {"value": 1, "label": "b", "probability": 0.25},
            ],
            "confidence": 0.5,
        },
    ]
    [sent] = studio.posted(SYSTEMONE)
    assert (sent["state"], sent["images"]) == ("It came late.", [PNG_URL])
    assert sent["questions"]["0"]["criteria"] == {"true": None, "no": "d"}
    assert sent["questions"]["2"]["criteria"] == ["a", "b: c"]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"model": 5}, "model is required"),
        ({"model": "chatty"}, '"chatty" does not support decision'),
        ({"input": 5}, "input must be"),
        ({"input": [{"role": "user", "content": 5}]}, "content must be"),
        ({"input": [{"content": [{"type": "input_image", "image_url": "http://x/y.png"}]}]}, "must be a data URL"),
        ({"questions": []}, "questions must be"),
        ({"questions": [{"type": "rank"}]}, "questions[0].type must be"),
        ({"questions": [{"type": "choice", "choices": [{"value": "a"}]}]}, "questions[0].choices must be"),
        (
            {"questions": [{"type": "choice", "choices": [{"value": "true"}, {"value": True}]}]},
            "questions[0].choices must have different texts",
        ),
        ({"questions": [{"type": "score", "levels": [{}, {}]}]}, "questions[0].levels must be"),
    ],
)
def test_what_cannot_be_translated_is_refused_in_openais_envelope(fields, text, client):
    answer = client.post(DECISIONS, json={**OPENAI_ASKED, **fields})
    assert answer.status_code == 400
    assert answer.json["error"]["type"] == "invalid_request_error"
    assert text in answer.json["error"]["message"]


@pytest.mark.parametrize(("path", "body"), [(SYSTEMONE, NOUL), (DECISIONS, OPENAI_ASKED)])
def test_a_disconnect_aborts_the_request_to_lm_studio(path, body, studio, tmp_path):
    studio.answers[path] = silent
    with Shim(studio.url, tmp_path) as shim, Wire(shim.port) as wire:
        wire.ask(path, body)
        studio.until(lambda: studio.open_at(path))
        wire.close()
        (peer,) = studio.at(path)
        studio.until(lambda: peer.closed_at)
