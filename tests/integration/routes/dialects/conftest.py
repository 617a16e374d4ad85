"""A shim in front of LM Studios of all generations, which are scripts."""

from __future__ import annotations

import json

import pytest
from support.answers import by_path, model, replies
from support.apps import several_apps

MISSING = replies({"error": "Unexpected endpoint or method. (POST /v1/x)"})
"""What LM Studio says, with status 200, to a path it does not have."""


def lists(generation):
    """Return the answers of a backend of that generation to the requests for its lists; its one model is loaded."""
    row = {"id": "tiny", "type": "llm", "state": "loaded", "loaded_context_length": 4096}
    found = {
        "v1": {"/api/v1/models": replies({"models": [model()]})},
        "v0": {"/api/v1/models": MISSING, "/api/v0/models": replies({"data": [row]})},
        "openai": {"/api/v1/models": MISSING, "/api/v0/models": MISSING, "/v1/models": replies({"data": [row]})},
    }
    return found[generation]


@pytest.fixture
def lm_studio(socket_server):
    """Return a function that starts a backend of a generation; ``answers`` are those to other paths."""

    def of(generation="v0", chat=MISSING, **answers):
        paths = {"/v1/chat/completions": chat, "/v1/responses": MISSING, "/v1/messages": MISSING}
        return socket_server(
            by_path({**lists(generation), **paths, **{f"/v1/{name}": how for name, how in answers.items()}})
        )

    return of


@pytest.fixture
def app_of(tmp_path):
    """Return a function that puts a shim before a backend; all are closed."""
    with several_apps(data_dir=tmp_path / "data") as made:
        yield lambda backend, **settings: made(backend_url=backend.url, **settings)


@pytest.fixture
def client_of(app_of):
    """Return a function that gives a client of a shim before a backend."""
    return lambda backend, **settings: app_of(backend, **settings).test_client()


@pytest.fixture
def events():
    """Return a function that gives the data of the events in a streamed answer."""
    return lambda answer: [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
