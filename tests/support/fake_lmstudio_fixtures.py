"""Fixtures around :class:`support.fake_lmstudio.FakeLMStudio`. A conftest.py imports those it wants."""

from __future__ import annotations

import pytest

from support.apps import several_apps
from support.fake_lmstudio import FakeLMStudio, v1_model

MODELS = (v1_model("embedder", "embedding", context_length=8), v1_model("cold", "embedding"), v1_model("chatter"))


@pytest.fixture
def shim(tmp_path):
    """Return a function that starts a shim for a backend's address and gives a client of it; all are closed."""
    with several_apps(default_temperature=None, data_dir=tmp_path / "data") as app_of:
        yield lambda url, **settings: app_of(backend_url=url, **settings).test_client()


@pytest.fixture
def backend():
    """Return a function that starts an LM Studio which lists ``rows`` and answers the rest by ``answer``.

    ``rows`` may be a function, for lists that change.
    """
    running = []

    def start(answer=None, rows=MODELS, version="v1"):
        running.append(FakeLMStudio(answer=answer, rows=rows, version=version))
        return running[-1]

    yield start
    for server in running:
        server.kill()


@pytest.fixture(scope="package")
def one_studio():
    """Give one LM Studio for a whole folder."""
    with FakeLMStudio() as studio:
        yield studio


@pytest.fixture
def studio(one_studio):
    """Give the folder's LM Studio, calm before and after each test."""
    one_studio.calm()
    yield one_studio
    one_studio.calm()
