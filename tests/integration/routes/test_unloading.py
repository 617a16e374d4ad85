"""A model that is sent away while others load it, use it, or look at it."""

from __future__ import annotations

import threading
import time

import pytest
from support.fake_lmstudio import FakeLMStudio

from flask_shim import create_app
from flask_shim.config import Config
from flask_shim.models.keep_alive import LoadedModel
from flask_shim.services import services_of
from flask_shim.translate.ollama.listing import to_local

LOAD, UNLOAD, CHAT = "/api/v1/models/load", "/api/v1/models/unload", "/v1/chat/completions"
GO = {"model": "tiny", "keep_alive": 0}


@pytest.fixture
def studio():
    with FakeLMStudio({"tiny": 2048}) as studio:
        yield studio


@pytest.fixture
def app(studio, tmp_path):
    app = create_app(Config(backend_url=studio.url, data_dir=tmp_path))
    yield app
    services_of(app).close()


@pytest.fixture
def asks(app):
    """Return a function that posts to /api/generate on a thread of its own and gives it, with the answers."""
    threads, answers = [], []

    def ask(**body):
        def post():
            answers.append(app.test_client().post("/api/generate", json=body, buffered=True).status_code)

        threads.append(threading.Thread(target=post))
        threads[-1].start()
        return answers

    yield ask
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def queued(monkeypatch):
    """Set when a thread waits for a model's turn."""
    waits, acquire = threading.Event(), LoadedModel.acquire

    def acquire_noticed(loaded, call):
        if loaded.is_busy:
            waits.set()
        acquire(loaded, call)

    monkeypatch.setattr(LoadedModel, "acquire", acquire_noticed)
    return waits


def test_unload_waits_for_the_load_and_answer_of_another_request(studio, asks, queued, until):
    studio.may_load.clear()
    answers = asks(model="tiny", prompt="Hello", options={"num_ctx": 4096})
    until(lambda: studio.posted(LOAD))
    asks(**GO)
    assert queued.wait(10)
    assert len(studio.posted(UNLOAD)) == 1
    studio.may_load.set()
    until(lambda: len(studio.posted(UNLOAD)) == 2)
    until(lambda: len(answers) == 2)
    assert answers == [200, 200]
    assert [asked.path for asked in studio.asked if asked.method == "POST"] == [UNLOAD, LOAD, CHAT, UNLOAD]


@pytest.mark.parametrize("ask", [GO | {"prompt": "Hello"}, GO], ids=["with the answer", "outright"])
def test_model_that_is_being_unloaded_expires_now(app, studio, asks, until, ask):
    may_unload = threading.Event()
    studio.answer = lambda asked: None if asked.path != UNLOAD or may_unload.wait(10) else {}
    asks(**ask)
    until(lambda: studio.posted(UNLOAD))
    [shown] = app.test_client().get("/api/ps").json["models"]
    may_unload.set()
    assert shown["expires_at"][:19] <= to_local(time.time_ns())[:19]
