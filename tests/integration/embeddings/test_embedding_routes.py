"""The three embedding routes before a backend that says whatever a test wants."""

from __future__ import annotations

import base64
import json
import socket
import struct

import pytest
from support.answers import silent
from support.apps import served
from support.fake_lmstudio import Status

from flask_shim import create_app
from flask_shim.config import Config
from flask_shim.services import services_of

EMPTY = {"model": "embedder", "embeddings": []}
NO_SUCH = 'model "nope" not found, try pulling it first'


def vectors(asked):
    """Answer as LM Studio does: raw vectors, no counts, base64 and dimensions ignored; here last things first."""
    texts = asked.json["input"]
    texts = [texts] if isinstance(texts, str) else texts
    data = [{"object": "embedding", "embedding": [3.0, 4.0, len(text)], "index": i} for i, text in enumerate(texts)]
    usage = {"prompt_tokens": 0, "total_tokens": 0}
    return {"object": "list", "data": data[::-1], "model": "embedder@q4", "usage": usage}


@pytest.fixture
def client(backend, shim):
    return shim(backend(vectors).url)


def test_embed_returns_normalized_vectors_in_the_texts_order(client):
    body = client.post("/api/embed", json={"model": "embedder", "input": ["", "x" * 12]}).json
    assert body["embeddings"] == [pytest.approx([0.6, 0.8, 0]), pytest.approx([3 / 13, 4 / 13, 12 / 13])]
    assert body["model"] == "embedder"
    assert all(isinstance(body[key], int) for key in ("total_duration", "load_duration"))
    assert 0 < body["load_duration"] <= body["total_duration"]


def test_embed_sends_all_texts_at_once_with_lm_studios_fields_only(backend, shim):
    server = backend(vectors)
    ask = {"model": "embedder", "input": ["a", "b"], "truncate": True, "keep_alive": "5m", "dimensions": 2}
    assert shim(server.url).post("/api/embed", json=ask).status_code == 200
    assert server.asked[-1].json == {"model": "embedder", "input": ["a", "b"], "ttl": 300}
    assert server.paths() == ["POST /v1/embeddings"]


@pytest.mark.parametrize("text", ["a", ["a"]])
def test_embed_accepts_a_text_or_a_list_and_returns_a_list(client, text):
    assert len(client.post("/api/embed", json={"model": "embedder", "input": text}).json["embeddings"]) == 1


def test_embed_cuts_to_the_requested_dimensions(client):
    body = client.post("/api/embed", json={"model": "embedder", "input": "abc", "dimensions": 2}).json
    assert body["embeddings"] == [pytest.approx([0.6, 0.8])]


@pytest.mark.parametrize("extra", [{}, {"input": None}, {"input": ""}, {"input": []}])
def test_embed_without_input_loads_the_model_and_answers_with_nothing(backend, shim, extra):
    server = backend(lambda asked: {"instance_id": "cold"})
    response = shim(server.url).post("/api/embed", json={"model": "cold", **extra})
    assert (response.status_code, response.json) == (200, {"model": "cold", "embeddings": []})
    assert server.paths() == ["POST /api/v1/models/load"]


def test_embed_without_input_leaves_a_loaded_model_alone(backend, shim):
    server = backend(vectors)
    assert shim(server.url).post("/api/embed", json={"model": "embedder"}).json == EMPTY
    assert server.paths() == []


def test_embed_without_input_and_keep_alive_0_unloads(backend, shim):
    server = backend(lambda asked: {"instance_id": "embedder"})
    assert shim(server.url).post("/api/embed", json={"model": "embedder", "keep_alive": 0}).json == EMPTY
    assert server.paths() == ["POST /api/v1/models/unload"]


def test_embed_with_num_ctx_loads_the_model_with_that_context(backend, shim):
    server = backend(lambda asked: vectors(asked) if asked.path == "/v1/embeddings" else {"instance_id": "cold"})
    ask = {"model": "cold", "input": "a", "options": {"num_ctx": 512}}
    assert shim(server.url).post("/api/embed", json=ask).status_code == 200
    load = next(asked for asked in server.asked if asked.path == "/api/v1/models/load")
    assert load.json == {"model": "cold", "echo_load_config": True, "context_length": 512}


def test_embed_counts_what_the_backend_counted(backend, shim):
    server = backend(lambda asked: {**vectors(asked), "usage": {"prompt_tokens": 9, "total_tokens": 9}})
    body = shim(server.url).post("/api/embed", json={"model": "embedder", "input": "a"}).json
    assert body["prompt_eval_count"] == 9


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"input": "x"}, 404, "model '' not found"),
        ({"input": 5}, 404, "model '' not found"),
        ({"model": "bad name", "input": 5}, 400, "invalid model name"),
        ({"model": "nope", "input": 5}, 400, "invalid input type"),
        ({"model": "embedder", "input": [5]}, 400, "invalid input type"),
        ({"model": "embedder", "input": {"a": 1}}, 400, "invalid input type"),
        ({"model": "nope", "input": "x"}, 404, NO_SUCH),
        ({"model": "nope"}, 404, NO_SUCH),
        ({"model": "embedder", "input": "x", "options": {"num_ctx": "q"}}, 500,
         'option "num_ctx" must be of type integer'),
        ({"model": "embedder", "input": "x", "dimensions": "2"}, 400,
         "json: cannot unmarshal string into Go struct field EmbedRequest.dimensions of type int"),
        ({"model": "embedder", "input": "a " * 9, "truncate": False}, 400,
         "the input length exceeds the context length"),
        ({"model": "embedder", "input": ["a", "a b c d e"], "truncate": False, "options": {"num_ctx": 3}}, 400,
         "the input length exceeds the context length"),
        ({"model": "embedder", "input": "a", "options": {"num_ctx": 1}}, 400,
         "input after truncation exceeds maximum context length"),
        ({"model": "embedder", "input": "a", "truncate": False, "options": {"num_ctx": 0}}, 400,
         "input after truncation exceeds maximum context length"),
    ],
)  # fmt: skip
def test_embed_rejects_with_ollamas_texts_in_its_order(backend, shim, body, status, text):
    server = backend(vectors)
    response = shim(server.url).post("/api/embed", json=body)
    assert (response.status_code, response.json) == (status, {"error": text})
    assert server.paths() == []


def test_embed_sends_long_texts_unless_truncate_is_false(client):
    assert client.post("/api/embed", json={"model": "embedder", "input": "a " * 9}).status_code == 200
    short = {"model": "embedder", "input": "a " * 8, "truncate": False}
    assert client.post("/api/embed", json=short).status_code == 200
    cut = {"model": "embedder", "input": "a b c d e", "options": {"num_ctx": 3}}
    assert client.post("/api/embed", json=cut).status_code == 200


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        (b'{"data":[{"index":0,"embedding":[0.1,null]}]}', 400, "embedding contains NaN or Inf values"),
        ({"data": []}, 502, "LM Studio answered with 0 vectors for 1 texts"),
        (Status(400, {"error": "The model has crashed without additional information. (Exit code: null)"}), 500,
         "The model has crashed without additional information. (Exit code: null)"),
        (Status(400, {"error": "something it does not like"}), 400, "something it does not like"),
    ],
)  # fmt: skip
def test_embed_reports_errors_of_the_backend(backend, shim, answer, status, text):
    server = backend(lambda asked: answer)
    response = shim(server.url).post("/api/embed", json={"model": "embedder", "input": "x"})
    assert (response.status_code, response.json) == (status, {"error": text})


def test_embed_is_repeated_after_an_eviction(backend, shim):
    answers = [Status(400, {"error": "Model unloaded."}), None]
    server = backend(lambda asked: answers.pop(0) or vectors(asked))
    assert shim(server.url).post("/api/embed", json={"model": "embedder", "input": "x"}).status_code == 200


def test_embed_loads_a_model_that_the_backend_does_not_load_by_itself(backend, shim):
    answers = [Status(400, {"error": "No models loaded. Please load a model"}), {"instance_id": "cold"}, None]
    server = backend(lambda asked: answers.pop(0) or vectors(asked))
    assert shim(server.url).post("/api/embed", json={"model": "cold", "input": "x"}).status_code == 200
    assert server.paths() == ["POST /v1/embeddings", "POST /api/v1/models/load", "POST /v1/embeddings"]


@pytest.mark.parametrize("path", ["/api/embed", "/v1/embeddings"])
def test_language_model_is_not_loaded_for_embeddings_it_cannot_make(backend, shim, path):
    server = backend(lambda asked: Status(400, {"error": "No models loaded. Please load a model"}))
    client = shim(server.url, default_context=4096)
    response = client.post(path, json={"model": "chatter", "input": "x"})
    assert response.status_code == 400
    said = response.json["error"]
    assert (said if path == "/api/embed" else said["message"]) == '"chatter" does not support embeddings'
    assert server.paths() == ["POST /v1/embeddings"]


def test_embeddings_returns_only_the_unchanged_vector(client):
    assert client.post("/api/embeddings", json={"model": "embedder", "prompt": "abc"}).json == {
        "embedding": [3.0, 4.0, 3]
    }


@pytest.mark.parametrize("extra", [{}, {"prompt": ""}])
def test_embeddings_without_prompt_loads_and_returns_no_vector(backend, shim, extra):
    server = backend(lambda asked: {"instance_id": "cold"})
    assert shim(server.url).post("/api/embeddings", json={"model": "cold", **extra}).json == {"embedding": []}
    assert server.paths() == ["POST /api/v1/models/load"]


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"prompt": "x"}, 400, "model is required"),
        ({"model": "bad name"}, 400, "invalid model name"),
        ({"model": "nope", "prompt": "x"}, 404, NO_SUCH),
    ],
)
def test_embeddings_rejects_with_ollamas_texts(client, body, status, text):
    response = client.post("/api/embeddings", json=body)
    assert (response.status_code, response.json) == (status, {"error": text})


@pytest.mark.parametrize(
    ("prompt", "options"), [("a " * 9, {}), ("a " * 5, {"num_ctx": 3}), ("a " * 7, {"num_ctx": 6})]
)
def test_embeddings_answers_500_to_a_text_that_is_too_long(client, prompt, options):
    response = client.post("/api/embeddings", json={"model": "embedder", "prompt": prompt, "options": options})
    assert (response.status_code, response.json) == (500, {"error": "the input length exceeds the context length"})


def test_embeddings_answers_500_to_every_error_of_the_engine(backend, shim):
    server = backend(lambda asked: Status(400, {"error": "kaboom"}))
    response = shim(server.url).post("/api/embeddings", json={"model": "embedder", "prompt": "x"})
    assert (response.status_code, response.json) == (500, {"error": "kaboom"})


def test_openai_embeddings_are_passed_on_byte_for_byte(backend, shim):
    raw = b'{ "data" : [ {"embedding":[1e-5, 2.50],"index":0} ],  "model":"x" }'
    server = backend(lambda asked: raw)
    ask = {"model": "EMBEDDER:latest", "input": "a", "encoding_format": "float", "user": "me"}
    assert shim(server.url).post("/v1/embeddings", json=ask).data == raw
    assert server.asked[-1].json == {"model": "embedder", "input": "a", "user": "me"}


def test_openai_embeddings_are_base64_on_request(client):
    ask = {"model": "embedder", "input": ["", "abc"], "encoding_format": "Base64"}
    body = client.post("/v1/embeddings", json=ask).json
    texts = [item["embedding"] for item in body["data"]]
    assert [struct.unpack("<3f", base64.b64decode(text)) for text in texts] == [(3, 4, 0), (3, 4, 3)]
    assert body["model"] == "embedder@q4"
    assert body["usage"] == {"prompt_tokens": 0, "total_tokens": 0}


def test_openai_embeddings_are_cut_to_the_requested_dimensions(client):
    body = client.post("/v1/embeddings", json={"model": "embedder", "input": "abc", "dimensions": 2}).json
    assert body["data"] == [{"object": "embedding", "embedding": pytest.approx([0.6, 0.8]), "index": 0}]


FORMATS = "Invalid value for 'encoding_format' = hex. Supported values: ['float', 'base64']."


@pytest.mark.parametrize(
    ("body", "status", "kind", "text"),
    [
        (b"", 400, "invalid_request_error", "EOF"),
        (b'{"model":"embedder","input":"x","encoding_format":"hex"}', 400, "invalid_request_error", FORMATS),
        (b'{"encoding_format":"hex"}', 400, "invalid_request_error", FORMATS),
        (b'{"model":"embedder","input":[]}', 400, "invalid_request_error", "invalid input"),
        (b'{"model":"embedder"}', 400, "invalid_request_error", "invalid input"),
        (b'{"model":"embedder","input":[1,2]}', 400, "invalid_request_error", "invalid input type"),
        (b'{"model":"embedder","input":5}', 400, "invalid_request_error", "invalid input type"),
        (b'{"model":"bad name","input":"x"}', 400, "invalid_request_error", "invalid model name"),
        (b'{"model":"nope","input":"x"}', 404, "not_found_error", NO_SUCH),
        (b'{"input":"x"}', 404, "not_found_error", "model '' not found"),
        (b'{"model":"embedder","input":"x","dimensions":"2"}', 400, "invalid_request_error",
         "json: cannot unmarshal string into Go struct field EmbedRequest.dimensions of type int"),
    ],
)  # fmt: skip
def test_openai_embeddings_rejects_with_ollamas_texts_in_its_order(backend, shim, body, status, kind, text):
    server = backend(vectors)
    response = shim(server.url).post("/v1/embeddings", data=body)
    assert response.status_code == status
    assert response.json == {"error": {"message": text, "type": kind, "param": None, "code": None}}
    assert server.paths() == []


@pytest.mark.parametrize(("path", "key"), [("/api/embed", "input"), ("/api/embeddings", "prompt")])
def test_old_backend_makes_a_vector_to_load_a_model(backend, shim, path, key):
    rows = [{"id": "embedder", "type": "embeddings", "state": "not-loaded"}]
    server = backend(vectors, rows, "v0")
    assert shim(server.url).post(path, json={"model": "embedder", key: ""}).status_code == 200
    assert server.paths() == ["POST /v1/embeddings"]
    assert server.asked[-1].json["model"] == "embedder"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/embed", {"model": "embedder", "input": "x"}),
        ("/api/embeddings", {"model": "embedder", "prompt": "x"}),
        ("/v1/embeddings", {"model": "embedder", "input": "x"}),
        ("/v1/embeddings", {"model": "embedder", "input": "x", "encoding_format": "base64"}),
    ],
)
def test_disconnect_frees_the_backend_and_the_slot(backend, until, path, body):
    server = backend(lambda asked: silent)
    app = create_app(Config(backend_url=server.url))
    parts = services_of(app)
    raw = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(raw)}\r\n\r\n".encode()
    with served(app, channel_request_lookahead=1) as port:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(head + raw)
            until(lambda: server.paths() == ["POST /v1/embeddings"])
            assert parts.slots.in_use == 1
        server.until(lambda: not server.open_at("/v1/embeddings"))
        until(lambda: parts.slots.in_use == 0)
    parts.close()
