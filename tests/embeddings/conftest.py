"""A shim in front of a backend made of one function, and one in front of a real engine."""

from __future__ import annotations

import pytest
from support.fake_backend import UNKNOWN, FakeBackend, v1_model

from flask_shim import create_app
from flask_shim.config import Config

MODELS = (v1_model("embedder", "embedding", context_length=8), v1_model("cold", "embedding"), v1_model("chatter"))


@pytest.fixture
def shim():
    """Return a function that puts a shim before a backend's address and gives a client of it; all are closed."""
    apps = []

    def before(url, **settings):
        apps.append(create_app(Config(backend_url=url, default_temperature=None, **settings)))
        return apps[-1].test_client()

    yield before
    for app in apps:
        app.extensions["flask_shim"].close()


@pytest.fixture
def backend():
    """Return a function that starts a backend which lists MODELS and answers everything else by ``answer``."""
    running = []

    def of(answer, models=MODELS, generation="v1"):
        lists = {
            "/api/v1/models": {"models": list(models)} if generation == "v1" else UNKNOWN,
            "/api/v0/models": {"data": list(models)} if generation == "v0" else UNKNOWN,
            "/v1/models": {"data": list(models)},
        }
        running.append(FakeBackend(lambda asked: lists[asked.path] if asked.path in lists else answer(asked)))
        return running[-1]

    yield of
    for server in running:
        server.stop()
