"""SHIM_READ_ONLY: no request and no setting loads, reloads or unloads a model."""

from __future__ import annotations

import pytest
from support.apps import several_apps
from support.fake_lmstudio import NONE_LOADED, FakeLMStudio

from flask_shim.services import services_of

LOAD, UNLOAD = "/api/v1/models/load", "/api/v1/models/unload"
TURNS = [{"role": "user", "content": "Hello"}]

ASKS = {
    "/api/chat": {"model": "tiny", "messages": TURNS, "options": {"num_ctx": 8192}, "keep_alive": 0},
    "/api/generate": {"model": "tiny", "prompt": "Hello"},
    "/api/embed": {"model": "vectors", "input": "Hello"},
    "/v1/chat/completions": {"model": "tiny", "messages": TURNS},
    "/v1/completions": {"model": "tiny", "prompt": "Hello"},
    "/v1/embeddings": {"model": "wide", "input": "Hello"},
    "/v1/responses": {"model": "tiny", "input": "Hello"},
    "/v1/messages": {"model": "tiny", "messages": TURNS, "max_tokens": 9},
    "/chat": {"model_key": "tiny", "messages": TURNS},
}
NOT_LOADED = ["/api/chat", "/v1/chat/completions", "/v1/embeddings", "/chat"]
"""One for each way a request that failed for want of a model could be helped."""


@pytest.fixture
def studio():
    with FakeLMStudio({"tiny": 2048, "vectors": 2048}) as studio:
        studio.kinds["vectors"] = "embedding"
        studio.answers["/v1/completions"] = {"choices": [{"index": 0, "text": "Hello", "finish_reason": "stop"}]}
        yield studio


@pytest.fixture
def client(studio, tmp_path):
    with several_apps(backend_url=studio.url, default_context=4096, data_dir=tmp_path) as app_of:
        ask = {"model": "wide", "from": "vectors", "parameters": {"num_ctx": 8192}}
        assert app_of().test_client().post("/api/create", json=ask).status_code == 200
        yield lambda **settings: app_of(**settings).test_client()


@pytest.mark.parametrize("path", ASKS)
def test_no_request_makes_a_read_only_shim_reload_a_model(client, studio, path):
    assert client(read_only=True).post(path, json=ASKS[path], buffered=True).status_code == 200
    assert (studio.posted(LOAD), studio.posted(UNLOAD)) == ([], [])


@pytest.mark.parametrize("path", ASKS)
def test_the_same_requests_load_without_read_only(client, studio, path):
    assert client().post(path, json=ASKS[path], buffered=True).status_code == 200
    assert len(studio.posted(LOAD)) == 1


@pytest.mark.parametrize("path", NOT_LOADED)
@pytest.mark.parametrize("is_read_only", [True, False])
def test_model_that_is_missing_is_not_loaded_by_a_read_only_shim(client, studio, path, is_read_only):
    studio.models = dict.fromkeys(studio.models)
    studio.answers |= dict.fromkeys(("/v1/chat/completions", "/v1/embeddings"), NONE_LOADED)
    answer = client(read_only=is_read_only, default_context=0).post(path, json=ASKS[path] | {"options": {}})
    assert answer.status_code >= 400
    assert bool(studio.posted(LOAD)) is not is_read_only


def test_empty_responses_request_loads_nothing_on_a_read_only_shim(client, studio):
    studio.models["tiny"] = None
    answer = client(read_only=True).post("/v1/responses", json={"model": "tiny", "input": []})
    assert (answer.status_code, studio.posted(LOAD)) == (403, [])


@pytest.mark.parametrize("is_read_only", [True, False])
def test_a_read_only_shim_keeps_models_that_lm_studio_loaded(client, studio, is_read_only):
    studio.models["tiny"] = None
    shim = client(read_only=is_read_only, default_context=0, default_ttl=60.0)
    assert shim.post("/api/chat", json={"model": "tiny", "messages": TURNS}, buffered=True).status_code == 200
    assert studio.models["tiny"]
    expires_at = services_of(shim.application).backends.first.loader.tracker.of("tiny").expires_at
    assert (expires_at is None) is is_read_only
