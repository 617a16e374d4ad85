"""A shim in front of a scripted backend that records its requests."""

from __future__ import annotations

import json

import pytest
from support.answers import by_path, model, replies, streams
from support.apps import several_apps


@pytest.fixture
def models():
    """The models that the backend lists; may be changed while it runs."""
    return [model("tiny"), model("acme/large", loaded_instances=[])]


@pytest.fixture
def backend(socket_server, models):
    lists = {
        "/api/v1/models": lambda peer: replies({"models": models})(peer),
        "/v1/models": lambda peer: replies(b'{ "data": [ {"id": "tiny"} ] }')(peer),
    }
    answers = dict.fromkeys(("/v1/chat/completions", "/v1/completions"), streams("Hel", "lo"))
    others = dict.fromkeys(("/v1/responses", "/v1/messages", "/api/v1/chat", "/v1/embeddings"), replies({"id": "x"}))
    load = {"/api/v1/models/load": replies({"instance_id": "tiny", "status": "loaded"})}
    return socket_server(by_path({**lists, **answers, **others, **load}))


@pytest.fixture
def shim(backend, tmp_path):
    """Return a function that starts a shim with these settings and gives a client of it."""
    usual = {"default_temperature": None, "model_cache_ttl": 0, "data_dir": tmp_path / "data"}
    with several_apps(**usual) as app_of:
        yield lambda **settings: app_of(backend_url=backend.url, **settings).test_client()


@pytest.fixture
def client(shim):
    return shim()


@pytest.fixture
def made(client):
    """Return a function that creates an alias and returns the lines of the answer."""

    def make(**ask):
        answer = client.post("/api/create", json={"model": "rumpel", "from": "tiny", **ask})
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.data.splitlines()]

    return make


@pytest.fixture
def names(client):
    """Return a function that gives all names that are listed, in order."""
    return lambda of=client: sorted(entry["name"] for entry in of.get("/api/tags").json["models"])
