"""A generation's line in the log and its numbers, whichever way it ends."""

from __future__ import annotations

import json
import logging
import socket

import pytest
from support.answers import streams
from support.apps import TIMEOUT_SECONDS, old_backend, served
from support.fake_lmstudio import FakeLMStudio

from flask_shim import create_app
from flask_shim.config import Config
from flask_shim.services import services_of

PROMPT = "words-of-the-prompt"
TURNS = [{"role": "user", "content": PROMPT}]


@pytest.fixture(scope="module")
def backend():
    with old_backend() as (url, heads):
        yield url, heads


@pytest.fixture
def app(backend):
    app = create_app(Config(backend_url=backend[0]))
    yield app
    services_of(app).close()


def asked(content, model="tiny-chat", **more):
    return {"model": model, "messages": [{"role": "user", "content": content}], **more}


def number(app, name):
    lines = app.test_client().get("/metrics", buffered=True).text.splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)), None)


@pytest.mark.parametrize("stream", [True, False])
def test_a_whole_answer_is_logged_with_model_counts_and_times(app, written, stream):
    response = app.test_client().post("/api/chat", json=asked("hi", stream=stream), buffered=True)
    assert response.status_code == 200
    facts = written.facts
    result = {key: facts[key] for key in ("path", "status", "model", "tokens_in", "tokens_out", "outcome")}
    assert result == {
        "path": "/api/chat",
        "status": "200",
        "model": "tiny-chat",
        "tokens_in": "7",
        "tokens_out": "3",
        "outcome": "done",
    }
    assert 0 < float(facts["first_token_ms"]) <= float(facts["ms"])
    assert number(app, 'shim_prompt_tokens_total{model="tiny-chat"}') == 7
    assert number(app, 'shim_generated_tokens_total{model="tiny-chat"}') == 3
    assert number(app, 'shim_generation_seconds_count{model="tiny-chat"}') == 1


def test_a_forwarded_answer_is_logged_with_its_model(app, written):
    app.test_client().post("/v1/chat/completions", json=asked("hi", stream=True), buffered=True)
    facts = written.facts
    result = (facts["model"], facts["outcome"], facts["tokens_in"], facts["tokens_out"])
    assert result == ("tiny-chat", "done", "7", "3")


@pytest.fixture
def studio_app():
    with FakeLMStudio() as studio:
        app = create_app(Config(backend_url=studio.url))
        yield studio, app
        services_of(app).close()


def test_a_whole_forwarded_answer_has_counts_but_no_speed(studio_app, written):
    _, app = studio_app
    app.test_client().post("/v1/chat/completions", json=asked("hi", model="tiny"), buffered=True)
    facts = written.facts
    assert (facts["tokens_in"], facts["tokens_out"]) == ("3", "2")
    assert not {"first_token_ms", "tokens_per_s"} & facts.keys()
    assert number(app, 'shim_generation_seconds_count{model="tiny"}') == 1


def test_first_token_of_a_native_stream_is_its_first_delta(studio_app, written):
    studio, app = studio_app
    events = ["response.created", "response.output_text.delta", "response.completed"]
    created, delta, completed = (f"event: {name}\ndata: {{}}\n\n".encode() for name in events)
    studio.answers["/v1/responses"] = streams(created, 0.2, delta, completed, lambda peer: peer.chunk(b""), ends=False)
    body = {"model": "tiny", "input": "hi", "previous_response_id": "resp_abc", "stream": True}
    app.test_client().post("/v1/responses", json=body, buffered=True)
    assert written.facts["outcome"] == "done"
    assert float(written.facts["first_token_ms"]) >= 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/chat", {"messages": TURNS, "options": {"temperature": 0, "mirostat": 1, "unknown": 1}}),
        ("/v1/chat/completions", {"messages": TURNS, "temperature": 0, "mirostat": None}),
        ("/v1/responses", {"input": PROMPT, "temperature": 0}),
        ("/v1/messages", {"messages": TURNS, "max_tokens": 1, "temperature": 0}),
    ],
)
def test_debug_names_options_but_quotes_no_text(app, written, path, body):
    logging.getLogger().setLevel(logging.DEBUG)
    app.test_client().post(path, json={"model": "tiny-chat", **body}, buffered=True)
    assert "temperature" in written.facts["options"]
    assert ("mirostat" in written.facts.get("dropped", "")) == ("mirostat" in str(body))
    assert not any(PROMPT in line for line in written.lines)


@pytest.mark.parametrize(("stream", "status"), [(True, "200"), (False, "502")])
def test_a_broken_answer_is_logged_and_counted(app, written, stream, status):
    app.test_client().post("/api/chat", json=asked("break", stream=stream), buffered=True)
    facts = written.facts
    assert (facts["level"], facts["status"], facts["outcome"]) == ("WARNING", status, "error:backend_protocol_error")
    assert facts["tokens_out"] == "1"
    assert number(app, 'shim_backend_errors_total{kind="backend_protocol_error"}') == 1


@pytest.mark.parametrize(
    ("path", "stream"), [("/api/chat", True), ("/api/chat", False), ("/v1/chat/completions", True)]
)
def test_a_disconnect_is_logged_with_its_costs(app, written, until, path, stream):
    body = json.dumps(asked("go on", stream=stream)).encode()
    with served(app, channel_request_lookahead=1) as port:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as connection:
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
            until(lambda: services_of(app).slots.in_use)
            if stream:
                assert connection.recv(1)
        until(lambda: written.ends)
    assert (written.facts["level"], written.facts["outcome"]) == ("INFO", "client_disconnected")
    assert not stream or int(written.facts["tokens_out"]) >= 1
    assert number(app, "shim_client_disconnects_total") == 1
    assert number(app, "shim_generations_in_flight") == 0


def test_an_unknown_model_makes_no_series(app, written):
    app.test_client().post("/api/chat", json=asked("hi", model="made-up"), buffered=True)
    assert (written.facts["status"], written.facts["outcome"]) == ("404", "rejected")
    assert "model" not in written.facts
    assert "made-up" not in app.test_client().get("/metrics", buffered=True).text
