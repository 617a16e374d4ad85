"""The service's answers: one object or lines, and the words for what went wrong."""

from __future__ import annotations

import json

import pytest
import responses
from support.answers import USAGE, event, lm_studio, model, sse, streams
from support.fake_lmstudio import NONE_LOADED
from support.ports import unused_port
from support.recorded import FILES, recorded

from flask_shim import create_app
from flask_shim.config import Config
from flask_shim.lmstudio.api_versions import ApiVersion
from flask_shim.services import services_of

REGULAR = "qwen/qwen3-4b-2507"
CHAT = "/v1/chat/completions"
TURNS = [{"role": "user", "content": "Hi"}]

ALL_PATHS = [f"/chat{which}{stream}" for which in ("", "/regular", "/vision") for stream in ("", "/stream")]


def lines(answer):
    assert answer.mimetype == "application/x-ndjson"
    return [json.loads(line) for line in answer.data.splitlines()]


def ask(client, path="/chat/regular", **more):
    return client.post(path, json={"messages": TURNS, **more})


@pytest.fixture
def scripted(shim, backend, socket_server):
    """Return a function that gives a client of a shim whose LM Studio streams these steps."""

    def of(*steps, settings=None, **more):
        server = socket_server(lm_studio(streams(*steps, **more), model(REGULAR)))
        backend.url = server.url
        return shim(**(settings or {}))

    return of


# --- what comes back ---


def test_answer_is_one_object(client):
    assert ask(client).json == {
        "model": REGULAR,
        "content": "Hello world",
        "stop_reason": "stop",
        "predicted_tokens": USAGE["completion_tokens"],
    }


def test_streamed_answer_is_fragments_and_an_end(scripted):
    answer = ask(scripted("Hel", "lo"), "/chat/regular/stream")
    assert lines(answer) == [
        {"type": "fragment", "content": "Hel"},
        {"type": "fragment", "content": "lo"},
        {"type": "done", "model": REGULAR, "predicted_tokens": 2, "stop_reason": "stop"},
    ]


CUT_SHORT = (
    event("Hel"),
    sse({"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}),
    b"data: [DONE]\n\n",
    b"",
)


def test_stop_reason_and_count_are_those_of_the_model(scripted):
    client = scripted(*CUT_SHORT, ends=False)
    answer = ask(client).json
    assert (answer["stop_reason"], answer["predicted_tokens"]) == ("length", 1)  # without usage, the deltas are counted
    assert lines(ask(client, "/chat/regular/stream"))[-1]["stop_reason"] == "length"


THINKING = sse({"choices": [{"index": 0, "delta": {"reasoning_content": "hm"}}]})


@pytest.mark.parametrize("steps", [(THINKING, "ok"), ("<think>hm", "</think>", "ok")])
@pytest.mark.parametrize(
    ("reasoning", "content"),
    [("separate", "ok"), ("hide", "ok"), ("merge", "**Reasoning:**\nhm\n\n**Answer:**\nok")],
)
def test_thinking_is_no_part_of_the_answer_unless_it_is_merged(scripted, steps, reasoning, content):
    client = scripted(*steps, settings={"reasoning": reasoning})
    assert ask(client).json["content"] == content
    records = lines(ask(client, "/chat/regular/stream"))
    assert "".join(line["content"] for line in records if line["type"] == "fragment") == content


def test_stream_that_breaks_ends_with_an_error_line(scripted):
    records = lines(ask(scripted("Hel", ends=False), "/chat/regular/stream"))
    assert [line["type"] for line in records] == ["fragment", "error"]
    assert "connection lost" in records[-1]["detail"]


def test_answer_that_breaks_is_an_error(scripted):
    answer = ask(scripted("Hel", ends=False))
    assert (answer.status_code, list(answer.json)) == (502, ["detail"])


# --- when it cannot be done ---


@pytest.mark.parametrize("path", ALL_PATHS)
def test_unreachable_lm_studio_has_the_usual_error(path, tmp_path):
    app = create_app(Config(backend_url=f"http://127.0.0.1:{unused_port()}", request_retries=0, data_dir=tmp_path))
    answer = ask(app.test_client(), path)
    services_of(app).close()
    assert answer.status_code == 503
    assert answer.json == {"detail": "Could not connect to LM Studio: Connection refused"}


NO_MODEL = {"detail": "Chat service unavailable: No model loaded"}


@pytest.mark.parametrize("path", ALL_PATHS)
def test_default_model_that_is_not_there_and_nothing_loaded(client, backend, path):
    backend.models = {"other": None}
    answer = ask(client, path)
    assert (answer.status_code, answer.json) == (503, NO_MODEL)


def test_a_missing_default_model_is_not_replaced_by_the_loaded_one(client, backend):
    backend.models = {"other": 4096}
    answer = ask(client)
    assert (answer.status_code, answer.json) == (404, {"detail": f"Model not found: {REGULAR}"})


@pytest.mark.parametrize("generation", ["v0", "openai"])
@pytest.mark.parametrize("path", ["/chat", "/chat/stream"])
def test_old_backend_that_has_nothing_loaded(client, backend, path):
    backend.answers[CHAT] = NONE_LOADED
    answer = ask(client, path, model_key="other")
    assert (answer.status_code, answer.json) == (503, NO_MODEL)


def test_a_backend_without_jit_loading_gets_a_load_request(client, backend):
    first = [NONE_LOADED]
    backend.answer = lambda asked: first.pop() if asked.path == CHAT and first else None
    assert ask(client, "/chat", model_key="other").json["content"] == "Hello world"
    assert [body["model"] for body in backend.posted("/api/v1/models/load")] == ["other"]


@pytest.mark.parametrize("generation", [ApiVersion.V0, ApiVersion.OPENAI])
@pytest.mark.parametrize("stream", ["", "/stream"])
def test_recorded_older_lm_studio_answers(tmp_path, generation, stream):
    url, key = "http://127.0.0.1:1234", recorded(generation)["data"][0]["id"]
    usage = {"choices": [], "usage": USAGE}
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    body = event("Hel") + event("lo") + sse(end) + sse(usage) + b"data: [DONE]\n\n"
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        for other in FILES:
            mock.get(
                url + other.value, json=recorded(other) if other is generation else {"error": "Unexpected endpoint"}
            )
        mock.post(url + CHAT, body=body, content_type="text/event-stream")
        app = create_app(Config(backend_url=url, default_regular_model=key, data_dir=tmp_path))
        answer = ask(app.test_client(), f"/chat/regular{stream}")
        said = lines(answer) if stream else [answer.json]
        services_of(app).close()
    assert said[-1]["model"] == key
    assert (said[-1]["predicted_tokens"], said[-1]["stop_reason"]) == (2, "stop")
    assert "".join(line.get("content", "") for line in said) == "Hello"
