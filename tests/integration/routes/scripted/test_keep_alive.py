"""Loading, unloading and staying, as clients of /api/chat and /api/generate ask for them."""

from __future__ import annotations

import copy

import pytest
import responses
from support.recorded import V1

from flask_shim.lmstudio.api_versions import ApiVersion

LOAD, UNLOAD = "/api/v1/models/load", "/api/v1/models/unload"
CHAT = "/v1/chat/completions"
URL = "http://lmstudio.test:1234"
PROBES = {"chat": "/api/chat", "generate": "/api/generate"}


@pytest.fixture(autouse=True)
def _manages(backend):
    backend.answers({"instance_id": "x", "status": "loaded"}, paths=(LOAD, UNLOAD))


@pytest.fixture
def stateful(backend):
    """A backend whose list shows what was loaded and unloaded."""
    models = copy.deepcopy(V1)
    backend.set_list(models)

    def row(key):
        return next(model for model in models["models"] if model["key"] == key)

    def load(request):
        import json

        asked = json.loads(request.body)
        context = asked.get("context_length", 4096)
        row(asked["model"])["loaded_instances"].append({"id": asked["model"], "config": {"context_length": context}})
        backend.set_list(models)
        return 200, {}, json.dumps({"instance_id": asked["model"]})

    def unload(request):
        import json

        row(json.loads(request.body)["instance_id"])["loaded_instances"].clear()
        backend.set_list(models)
        return 200, {}, "{}"

    for path, callback in ((LOAD, load), (UNLOAD, unload)):
        backend.mock.remove(responses.POST, URL + path)
        backend.mock.add_callback(responses.POST, URL + path, callback, content_type="application/json")
    return backend


def paths(backend):
    return [path for path, _ in backend.asked]


@pytest.mark.parametrize("stream", [True, False, None])
@pytest.mark.parametrize("route", PROBES)
@pytest.mark.parametrize(
    ("keep_alive", "reason"), [(None, "load"), (60, "load"), ("5m", "load"), (0, "unload"), ("0s", "unload")]
)
def test_probes_are_answered_with_one_bare_object(client, route, keep_alive, reason, stream):
    response = client.post(PROBES[route], {"model": "plain-7b", "keep_alive": keep_alive, "stream": stream})
    assert (response.status_code, response.content_type) == (200, "application/json; charset=utf-8")
    record = response.json
    body = {"message": {"role": "assistant", "content": ""}} if route == "chat" else {"response": ""}
    assert record == {
        "model": "plain-7b",
        "created_at": record["created_at"],
        **body,
        "done": True,
        "done_reason": reason,
    }


def test_a_model_that_is_loaded_is_not_loaded_again(client, backend):
    client.post("/api/generate", {"model": "plain-7b"})
    assert backend.asked == []


def test_a_model_that_is_not_loaded_is_loaded(client, stateful):
    client.post("/api/generate", {"model": "qwen/qwen3-8b"})
    assert stateful.asked == [(LOAD, {"model": "qwen/qwen3-8b", "echo_load_config": True})]
    shown = client.get("/api/ps").json["models"]
    assert "qwen/qwen3-8b:latest" in [model["name"] for model in shown]


def test_a_model_is_loaded_with_the_context_that_is_wanted(client, stateful):
    client.chat(model="qwen/qwen3-8b", options={"num_ctx": 8192}).close()
    assert stateful.asked[0] == (LOAD, {"model": "qwen/qwen3-8b", "echo_load_config": True, "context_length": 8192})
    assert paths(stateful) == [LOAD, CHAT]


def test_no_more_context_is_requested_than_the_model_has(client, stateful):
    client.chat(model="qwen/qwen3-8b", options={"num_ctx": 10**9}).close()
    assert stateful.asked[0][1]["context_length"] == 40960


@pytest.mark.parametrize("num_ctx", [None, 1, 2048, 8192])
def test_a_model_with_enough_context_is_left_alone(client, backend, num_ctx):
    client.chat(options={"num_ctx": num_ctx}).close()
    assert paths(backend) == [CHAT]


def test_a_model_with_too_little_context_is_reloaded(client, stateful):
    client.chat(options={"num_ctx": 16384}).close()
    assert paths(stateful) == [UNLOAD, LOAD, CHAT]
    client.chat(options={"num_ctx": 16384}).close()
    client.chat(options={"num_ctx": 4096}).close()
    assert paths(stateful) == [UNLOAD, LOAD, CHAT, CHAT, CHAT]


def test_the_backend_answers_after_a_failed_load_with_more_context(client, backend):
    backend.answers({"error": "insufficient system resources"}, status=400, paths=(LOAD,))
    assert client.chat(model="qwen/qwen3-8b", options={"num_ctx": 40960}).status_code == 200
    assert paths(backend) == [LOAD, CHAT]


@pytest.mark.parametrize(("keep_alive", "ttl"), [(None, None), (300, 300), ("5m", 300), (-1, 2_147_483), (0, None)])
def test_keep_alive_is_sent_as_a_ttl(client, backend, keep_alive, ttl):
    client.chat(model="qwen/qwen3-8b", keep_alive=keep_alive).close()
    assert backend.payload.get("ttl") == ttl


def test_a_model_is_unloaded_on_request(client, stateful):
    client.post("/api/generate", {"model": "plain-7b", "keep_alive": 0})
    assert stateful.asked == [(UNLOAD, {"instance_id": "plain-7b"})]
    assert [model["name"] for model in client.get("/api/ps").json["models"]] == ["google/gemma-4-26b-a4b:latest"]


def test_a_model_that_is_not_loaded_need_not_be_unloaded(client, backend):
    response = client.post("/api/generate", {"model": "qwen/qwen3-8b", "keep_alive": 0})
    assert (response.json["done_reason"], backend.asked) == ("unload", [])


def test_keep_alive_0_unloads_the_model_after_the_request(client, stateful, until):
    client.chat(keep_alive=0).close()
    until(lambda: paths(stateful) == [CHAT, UNLOAD])


def test_an_unload_while_the_model_answers_waits_for_the_end(client, stateful, until):
    answering = client.chat()
    assert client.post("/api/generate", {"model": "plain-7b", "keep_alive": 0}).json["done_reason"] == "unload"
    assert UNLOAD not in paths(stateful)
    answering.close()
    until(lambda: UNLOAD in paths(stateful))


def test_a_model_is_unloaded_when_its_time_is_up(client, stateful, until):
    client.post("/api/generate", {"model": "qwen/qwen3-8b", "keep_alive": 0.2})
    until(lambda: paths(stateful) == [LOAD, UNLOAD])


def test_a_loaded_model_is_unloaded_when_its_time_ends(client, stateful):
    client.post("/api/generate", {"model": "qwen/qwen3-8b", "keep_alive": "1h"})
    ours = next(model for model in client.get("/api/ps").json["models"] if model["name"].startswith("qwen"))
    others = next(model for model in client.get("/api/ps").json["models"] if model["name"].startswith("plain"))
    assert ours["expires_at"] < "2300" < others["expires_at"]


@pytest.mark.parametrize("generation", [ApiVersion.V0, ApiVersion.OPENAI])
def test_an_older_backend_is_made_to_load_by_asking_it_for_a_token(client, backend, generation):
    backend.set_version(generation)
    name = "qwen2-vl-7b-instruct" if generation is ApiVersion.V0 else "qwen/qwen2.5-vl-7b"
    assert client.post("/api/generate", {"model": name, "keep_alive": 60}).json["done_reason"] == "load"
    [(path, payload)] = backend.asked
    assert (path, payload["max_tokens"], payload["ttl"], payload["model"]) == (CHAT, 1, 60, name)


def test_an_older_backend_rejects_unloading(client, backend):
    backend.set_version(ApiVersion.V0)
    response = client.post("/api/generate", {"model": "qwen/qwen3-8b", "keep_alive": 0})
    assert response.status_code == 501
    assert "cannot unload a model" in response.json["error"]


def test_an_older_backend_keeps_its_context(client, backend):
    backend.set_version(ApiVersion.V0)
    client.chat(model="qwen/qwen3-8b", options={"num_ctx": 32768}).close()
    assert paths(backend) == [CHAT]
