"""/api/tags, /api/show, /api/ps and /api/version over all generations of backend."""

from __future__ import annotations

import pytest

from flask_shim.config import Config
from flask_shim.lmstudio.api_versions import ApiVersion

NAMES = {
    ApiVersion.V1: [
        "google/gemma-4-26b-a4b:latest",
        "text-embedding-nomic-embed-text-v1.5-embedding:latest",
        "qwen/qwen3-8b:latest",
        "plain-7b:latest",
    ],
    ApiVersion.V0: [
        "qwen2-vl-7b-instruct:latest",
        "qwen/qwen3-8b:latest",
        "text-embedding-nomic-embed-text-v1.5:latest",
    ],
    ApiVersion.OPENAI: ["qwen/qwen2.5-vl-7b:latest", "text-embedding-nomic-embed-text-v1.5:latest"],
}
LOADED = {
    ApiVersion.V1: [("google/gemma-4-26b-a4b:latest", 4096), ("plain-7b:latest", 8192)],
    ApiVersion.V0: [("qwen/qwen3-8b:latest", 8192)],
    ApiVersion.OPENAI: [],
}


@pytest.fixture(params=ApiVersion)
def generation(request, backend):
    backend.set_version(request.param)
    return request.param


def names(response):
    return [model["name"] for model in response.json["models"]]


def test_all_models_are_listed(client, generation):
    response = client.get("/api/tags")
    assert (response.status_code, response.content_type) == (200, "application/json; charset=utf-8")
    assert names(response) == NAMES[generation]


def test_every_listed_model_can_be_shown(client, generation):
    for model in client.get("/api/tags").json["models"]:
        response = client.show(model["name"])
        assert response.status_code == 200
        assert response.json["capabilities"] == model["capabilities"]
        assert isinstance(response.json["model_info"]["general.architecture"], str)


def test_loaded_models_are_listed_with_their_context(client, generation):
    models = client.get("/api/ps").json["models"]
    assert [(model["name"], model["context_length"]) for model in models] == LOADED[generation]


def test_listed_and_loaded_models_have_the_same_digest(client, generation):
    digests = {model["name"]: model["digest"] for model in client.get("/api/tags").json["models"]}
    assert all(digests[model["name"]] == model["digest"] for model in client.get("/api/ps").json["models"])


def test_models_loaded_by_others_stay_forever(client):
    assert client.get("/api/ps").json["models"][0]["expires_at"] > "2300"


def test_no_models_are_an_empty_list(client, backend):
    backend.set_list({"models": []})
    assert client.get("/api/tags").json == {"models": []}
    assert client.get("/api/ps").json == {"models": []}


@pytest.mark.parametrize("name", ["plain-7b", "plain-7b:latest", "PLAIN-7B"])
@pytest.mark.parametrize("key", ["model", "name"])
def test_a_model_is_shown_under_all_its_names(client, name, key):
    response = client.post("/api/show", {key: name})
    assert response.json["details"]["quantization_level"] == "Q4_0"
    assert response.json["model_info"]["llama.context_length"] == 8192


def test_the_version_is_a_plain_number_and_needs_no_backend(client, backend):
    backend.goes_away()
    assert client.get("/api/version").json == {"version": Config().ollama_version}
    assert not backend.mock.calls


def test_ten_rounds_of_listing_and_chatting_ask_for_two_lists_at_most(client, backend):
    for _ in range(10):
        assert client.get("/api/tags").status_code == 200
        assert client.chat(stream=False).status_code == 200
    assert backend.listings <= 2


def test_the_newest_api_is_tried_first(client, backend):
    client.get("/api/tags")
    assert backend.listings == 1


def test_a_model_list_that_is_an_error_is_reported_as_one(client, backend):
    for path in ApiVersion:
        backend.set_list({"error": "Something is wrong"}, path)
    response = client.get("/api/tags")
    assert response.status_code >= 400
    assert set(response.json) == {"error"}


@pytest.mark.parametrize("path", ["/", "/api/version", "/api/tags"])
def test_head_is_answered_where_ollama_does(client, path):
    response = client.head(path)
    assert (response.status_code, response.data) == (200, b"")


@pytest.mark.parametrize("path", ["/api/ps", "/api/chat", "/api/show", "/api/generate"])
def test_head_is_refused_elsewhere(client, path):
    assert client.head(path).status_code == 405


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/api/tags", "HEAD, GET"),
        ("POST", "/api/version", "HEAD, GET"),
        ("DELETE", "/", "HEAD, GET"),
        ("POST", "/api/ps", "GET"),
        ("GET", "/api/chat", "POST"),
        ("DELETE", "/api/generate", "POST"),
        ("PUT", "/api/show", "POST"),
    ],
)
def test_a_wrong_method_gets_the_allowed_ones(client, method, path, allowed):
    response = client.http.open(path, method=method)
    assert (response.status_code, response.data, response.content_type) == (
        405,
        b"405 method not allowed",
        "text/plain",
    )
    assert response.headers["Allow"] == allowed


@pytest.mark.parametrize("path", ["/api/nope", "/nope", "/api", "/API/tags", "/api/signin"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_path_is_not_found(client, path, method):
    response = client.http.open(path, method=method)
    assert (response.status_code, response.data, response.content_type) == (404, b"404 page not found", "text/plain")


def test_the_root_answers_as_ollamas_does(client):
    response = client.get("/")
    assert (response.data, response.content_type) == (b"Ollama is running", "text/plain; charset=utf-8")
