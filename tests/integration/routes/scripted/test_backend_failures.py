"""A backend that breaks: a true status before the first token, one line with the error after it."""

from __future__ import annotations

import json

import pytest
import requests
from support.ports import unused_port

from flask_shim import create_app
from flask_shim.config import Config
from flask_shim.services import services_of

CRASHED = "The model has crashed without additional information. (Exit code: null)"
CRASH = {"error": {"message": CRASHED}, "message": CRASHED}
CUT_TEXT = "connection lost: LM Studio closed it before its answer was complete"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("route", ["chat", "generate"])
@pytest.mark.parametrize(
    ("fault", "status", "text"),
    [
        (lambda backend: backend.script(CRASH), 500, CRASHED),
        (lambda backend: backend.sends(), 502, CUT_TEXT),
        (lambda backend: backend.answers(b"data: x\n\n", content_type="text/event-stream"), 502, "not JSON"),
        (lambda backend: backend.answers(requests.ReadTimeout()), 504, "did not begin to answer in time"),
        (lambda backend: backend.answers(requests.ConnectionError()), 502, CUT_TEXT),
    ],
)
def test_before_the_first_token_there_is_a_true_status(client, backend, route, stream, fault, status, text):
    fault(backend)
    response = client.ask(route, stream=stream)
    assert response.status_code == status
    assert list(response.json) == ["error"]
    assert text in response.json["error"]


@pytest.mark.parametrize("route", ["chat", "generate"])
@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (lambda backend: backend.script("Hel", "lo", CRASH), CRASHED),
        (lambda backend: backend.sends("Hel", "lo"), CUT_TEXT),
    ],
)
def test_after_the_first_token_the_last_line_is_the_error(client, backend, lines, route, fault, text):
    fault(backend)
    response = client.ask(route)
    assert response.status_code == 200
    *tokens, last = lines(response)
    assert [line["done"] for line in tokens] == [False, False]
    assert last == {"error": text}


@pytest.mark.parametrize("route", ["chat", "generate"])
@pytest.mark.parametrize(
    ("fault", "status"),
    [(lambda backend: backend.script("Hel", "lo", CRASH), 500), (lambda backend: backend.sends("Hel"), 502)],
)
def test_a_whole_answer_that_breaks_is_an_error_however_late(client, backend, route, fault, status):
    fault(backend)
    response = client.ask(route, stream=False)
    assert (response.status_code, list(response.json)) == (status, ["error"])


def test_an_unreadable_call_is_the_last_line(client, backend, lines):
    call = {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{"}}]}}]}
    backend.script("Hel", call)
    assert "not a JSON object" in lines(client.chat())[-1]["error"]
    assert client.chat(stream=False).status_code == 502


def test_a_bug_is_an_internal_error_without_its_story(client, lines, monkeypatch):
    from flask_shim.translate.ollama.records import ChatEncoder

    def broken(*_):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(ChatEncoder, "finish", broken)
    assert lines(client.chat())[-1] == {"error": "internal error"}
    monkeypatch.setattr(ChatEncoder, "pieces", broken)
    response = client.chat()
    assert (response.status_code, response.json) == (500, {"error": "internal error"})


# --- a model that goes or has not come yet ---


def in_turn(backend, *answers):
    """Answer the next generations one after the other."""
    rest = iter(answers)
    url = "http://lmstudio.test:1234/v1/chat/completions"
    backend.mock.remove("POST", url)
    backend.mock.add_callback("POST", url, lambda _: next(rest), content_type=None)


TURNS = [{"role": "user", "content": "x"}]
GOOD = (
    200,
    {"Content-Type": "text/event-stream"},
    b'data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n',
)


def refusal(text, status=400):
    return status, {"Content-Type": "application/json"}, json.dumps({"error": text})


def test_a_model_evicted_before_its_first_token_is_retried(client, backend):
    in_turn(backend, refusal("Model unloaded."), GOOD)
    assert client.chat(stream=False).json["message"]["content"] == "Hi"


def test_a_forwarded_request_is_sent_again_after_an_eviction(client, backend):
    in_turn(backend, refusal("Model unloaded."), GOOD)
    answer = client.post("/v1/chat/completions", {"model": "plain-7b", "messages": TURNS, "stream": True})
    assert (answer.status_code, answer.data.startswith(GOOD[2])) == (200, True)


def test_a_forwarded_effort_that_is_rejected_is_left_out(client, backend):
    in_turn(backend, refusal("Invalid reasoning_effort"), GOOD)
    body = {"model": "qwen/qwen3-8b", "messages": TURNS, "stream": True, "reasoning_effort": "low"}
    assert client.post("/v1/chat/completions", body).status_code == 200
    assert [payload.get("reasoning_effort") for _, payload in backend.asked] == ["low", None]


def test_a_model_that_is_not_loaded_on_demand_is_loaded(client, backend):
    in_turn(backend, refusal("No models loaded. Please load a model in the developer page."), GOOD)
    backend.answers({"instance_id": "qwen/qwen3-8b"}, paths=("/api/v1/models/load",))
    assert client.chat(model="qwen/qwen3-8b", stream=False).json["message"]["content"] == "Hi"
    assert [path for path, _ in backend.asked] == [
        "/v1/chat/completions",
        "/api/v1/models/load",
        "/v1/chat/completions",
    ]


def test_a_model_that_crashes_is_not_tried_again(client, backend):
    in_turn(backend, refusal(CRASHED), GOOD)
    answer = client.chat(stream=False)
    assert (answer.status_code, answer.json) == (500, {"error": CRASHED})


def test_a_model_evicted_twice_is_a_reason_to_try_later(client, backend):
    in_turn(backend, refusal("Model unloaded."), refusal("Model unloaded."), GOOD)
    answer = client.chat(stream=False)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    text = "LM Studio unloaded the model while this request used it, please try again (Model unloaded.)"
    assert answer.json == {"error": text}


# --- away ---

NEEDING = [
    ("GET", "/api/tags", None),
    ("GET", "/api/ps", None),
    ("GET", "/v1/models", None),
    ("POST", "/api/show", {"model": "plain-7b"}),
    ("POST", "/api/chat", {"model": "plain-7b", "messages": [{"role": "user", "content": "x"}]}),
    ("POST", "/api/chat", {"model": "plain-7b"}),
    ("POST", "/api/generate", {"model": "plain-7b", "prompt": "x"}),
    ("POST", "/api/generate", {"model": "plain-7b", "keep_alive": 0}),
    ("POST", "/api/embed", {"model": "plain-7b", "input": "x"}),
    ("POST", "/v1/chat/completions", {"model": "plain-7b", "messages": [{"role": "user", "content": "x"}]}),
    ("POST", "/v1/embeddings", {"model": "plain-7b", "input": "x"}),
    ("GET", "/api/v0/models", None),
]


@pytest.fixture
def alone(tmp_path):
    """A shim whose backend's port has no listener."""
    url = f"http://127.0.0.1:{unused_port()}"
    app = create_app(Config(backend_url=url, request_retries=0, connect_timeout=1.0, data_dir=tmp_path))
    yield app.test_client(), url
    services_of(app).close()


@pytest.mark.parametrize(("method", "path", "body"), NEEDING)
def test_a_backend_that_is_away_is_named(alone, method, path, body):
    client, url = alone
    response = client.open(path, method=method, json=body)
    assert response.status_code == 503
    error = response.json["error"]
    assert f"LM Studio is not reachable at {url}" in (error["message"] if isinstance(error, dict) else error)


@pytest.mark.parametrize("path", ["/", "/api/version", "/health", "/healthz", "/ping"])
def test_what_needs_no_backend_answers_without_one(alone, path):
    assert alone[0].get(path).status_code == 200


def test_readiness_reports_what_is_missing(alone):
    response = alone[0].get("/ready")
    assert (response.status_code, response.json["status"]) == (503, "unavailable")
    assert "LM Studio is not reachable" in response.json["error"]


@pytest.mark.parametrize(("method", "path", "body"), NEEDING[:9])
def test_no_cached_list_is_used_during_an_outage(client, backend, monkeypatch, method, path, body):
    from flask_shim.lmstudio import catalogue

    assert client.get("/api/tags").status_code == 200
    monkeypatch.setattr(catalogue, "CONTACT_SECONDS", -1.0)
    monkeypatch.setattr("flask_shim.routes.models.PS_SECONDS", -1.0)
    backend.goes_away()
    response = client.http.open(path, method=method, json=body)
    assert response.status_code == 503
    assert b"LM Studio is not reachable" in response.data


def test_a_recovered_backend_is_used_at_once(client, backend):
    backend.goes_away()
    assert client.chat().status_code == 503
    backend.comes_back()
    assert client.chat(stream=False).json["message"]["content"] == "Hello"
