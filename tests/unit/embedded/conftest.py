"""A real miniature LM Studio, with a real engine, shared by the tests of this folder and empty before each of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests

pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")

from flask_shim.embedded import MiniLMStudio, MiniSettings
from flask_shim.embedded.library import TINY

FACTS = Path(__file__).parents[2] / "data" / "tiny-facts.json"


class Api:
    """A client of one miniature."""

    def __init__(self, miniature, **headers):
        self.miniature, self.session = miniature, requests.Session()
        self.session.trust_env = False
        self.session.headers.update(headers)

    def get(self, path):
        return self.session.get(self.miniature.url + path)

    def post(self, path, payload, **options):
        return self.session.post(self.miniature.url + path, json=payload, **options)

    def chat(self, text, model="tiny-chat", path="/v1/chat/completions", **more):
        payload = {"model": model, "messages": [{"role": "user", "content": text}], "temperature": 0}
        return self.post(path, payload | more, stream=more.get("stream", False))

    def loaded(self):
        """Return the ids of all loaded instances."""
        models = self.get("/api/v1/models").json()["models"]
        return [instance["id"] for model in models for instance in model["loaded_instances"]]

    def load(self, model, **more):
        return self.post("/api/v1/models/load", {"model": model, **more})

    def unload(self, instance_id):
        return self.post("/api/v1/models/unload", {"instance_id": instance_id})


@pytest.fixture(scope="session")
def shared_miniature():
    with MiniLMStudio() as miniature:
        yield miniature


def unload_all(miniature):
    for instance in miniature.services.loaded_models.all():
        miniature.services.loaded_models.unload(instance.id)
    return miniature


@pytest.fixture
def miniature(shared_miniature):
    return unload_all(shared_miniature)


@pytest.fixture(scope="module")
def kept_miniature(shared_miniature):
    """The same, empty only before the first test of a file: starting an engine takes longer than an answer."""
    return unload_all(shared_miniature)


@pytest.fixture
def connect():
    """Return a function that makes a client of a miniature; all are closed at the end."""
    opened = []

    def of(miniature, **headers):
        opened.append(Api(miniature, **headers))
        return opened[-1]

    yield of
    for api in opened:
        api.session.close()


@pytest.fixture
def api(miniature, connect):
    return connect(miniature)


@pytest.fixture
def start(connect, monkeypatch):
    """Return a function that starts a miniature with settings of its own and gives a client of it."""
    # It imports the engine in a process, which takes a second on Windows.
    monkeypatch.setattr("flask_shim.embedded.mini_services.require_engine", lambda: None)
    running = []

    def miniature_with(**settings):
        running.append(MiniLMStudio(MiniSettings(**settings)))
        return connect(running[-1])

    yield miniature_with
    for miniature in running:
        miniature.stop()


@pytest.fixture
def known_answers():
    """Return what tiny-chat was trained to answer, by question."""
    return {fact["prompt"]: fact["trained"] for fact in json.loads(FACTS.read_text(encoding="utf-8"))}


@pytest.fixture
def tiny_models():
    return TINY
