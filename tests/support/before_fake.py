"""Fixtures: a shim in front of a backend made of one function. A conftest.py imports those it wants."""

from __future__ import annotations

import pytest

from support.apps import several_apps
from support.fake_backend import UNKNOWN, FakeBackend, v1_model

MODELS = (v1_model("embedder", "embedding", context_length=8), v1_model("cold", "embedding"), v1_model("chatter"))


@pytest.fixture
def shim(tmp_path):
    """Return a function that puts a shim before a backend's address and gives a client of it; all are closed."""
    with several_apps(default_temperature=None, data_dir=tmp_path / "data") as app_of:
        yield lambda url, **settings: app_of(backend_url=url, **settings).test_client()


@pytest.fixture
def backend():
    """Return a function that starts a backend which lists ``models`` and answers everything else by ``answer``.

    ``models`` may be a function, for lists that change.
    """
    running = []

    def of(answer, models=MODELS, generation="v1"):
        def answers(asked):
            rows = models() if callable(models) else models
            lists = {
                "/api/v1/models": {"models": rows} if generation == "v1" else UNKNOWN,
                "/api/v0/models": {"data": rows} if generation == "v0" else UNKNOWN,
                "/v1/models": {"data": rows},
            }
            return lists[asked.path] if asked.path in lists else answer(asked)

        running.append(FakeBackend(answers))
        return running[-1]

    yield of
    for server in running:
        server.stop()
