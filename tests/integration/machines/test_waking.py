"""A machine that is off is woken by the first request that needs it, and by nothing else."""

from __future__ import annotations

import threading

import pytest
from support.fake_lmstudio import DOWNLOAD

from flask_shim.inference.preload import Preloader
from flask_shim.lmstudio import wake
from flask_shim.lmstudio.errors import BackendUnavailable
from flask_shim.models import waking
from flask_shim.services import services_of

MAC = "AA:BB:CC:DD:EE:FF"
SLEEPER = {"sleeper": {"wake": MAC, "priority": 10}}


@pytest.fixture
def woken(monkeypatch):
    """The attempts to wake a machine. ``woken.by`` is what an attempt does."""

    class Attempts(list):
        by = staticmethod(lambda: None)

    attempts = Attempts()

    def attempt(spec, base_url, call):
        attempts.append(spec)
        attempts.by()

    monkeypatch.setattr(wake, "wake", attempt)
    monkeypatch.setattr(waking, "LOOK_SECONDS", 0.02)
    return attempts


@pytest.fixture
def shim(start_pool, woken):
    """A machine that works and one that is off, and can be woken."""
    shim = start_pool({"works": {"tiny": 4096}, "sleeper": {"big": None, "tiny": None}}, SLEEPER, model_cache_ttl=0.0)
    shim["sleeper"].kill()
    woken.by = shim["sleeper"].back
    return shim


@pytest.fixture
def seen(shim):
    """The same, after the shim has listed both."""
    shim["sleeper"].back()
    assert shim.names() == {"tiny", "big"}
    shim["sleeper"].kill()
    return shim


def test_first_request_wakes_a_machine_that_was_never_seen(shim, woken):
    assert shim.chat(model="big").text == "Hello world"
    assert woken == [MAC]


def test_first_request_wakes_a_sleeping_machine(seen, woken):
    assert seen.chat(model="big").text == "Hello world"
    assert seen.chat(model="big").is_whole
    assert woken == [MAC]


def test_models_of_a_sleeping_machine_stay_in_the_list(seen):
    assert seen.get("/ready").json["backends"] == {"works": "ready", "sleeper": "asleep"}
    assert seen.names() == {"tiny", "big"}
    assert [model["name"] for model in seen.get("/api/ps").json["models"]] == ["tiny:latest"]


def test_many_requests_wake_a_machine_once(seen, woken):
    answers = [chat.result() for chat in seen.chats(8, model="big")]
    assert [(answer.status, answer.errors) for answer in answers] == [(200, [])] * 8
    assert woken == [MAC]


def test_pull_to_a_sleeping_machine_wakes_it(seen, woken):
    seen["sleeper"].offers = {"new": ["new"]}
    assert seen.post("/api/pull", {"model": "sleeper/new", "stream": False}).json == {"status": "success"}
    assert (woken, seen["sleeper"].posted(DOWNLOAD)) == ([MAC], [{"model": "new"}])


@pytest.mark.parametrize("body", [{"prompt": "Hello"}, {}, {"keep_alive": 0}], ids=["use", "load", "unload"])
def test_machine_sleeps_on_while_another_has_the_model(seen, woken, body):
    assert seen.post("/api/generate", {"model": "tiny", **body}).status_code == 200
    assert woken == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/chat", {"model": "unknown", "messages": []}),
        ("/api/show", {"model": "big"}),
        ("/api/generate", {"model": "big", "keep_alive": 0}),
    ],
)
def test_requests_that_need_no_model_of_it_wake_nothing(seen, woken, path, body):
    seen.post(path, body)
    assert woken == []


def test_a_get_for_a_sleeping_machine_wakes_nothing(seen, woken):
    answer = seen._client().get("/api/v1/models", headers={"X-Shim-Backend": "sleeper"})
    assert (answer.status_code, woken) == (503, [])


def test_machine_that_cannot_be_woken_is_the_error(seen, woken):
    def fail():
        raise BackendUnavailable("the lms tool is not installed")

    woken.by = fail
    answer = seen.chat(model="big")
    assert (answer.status, answer.errors) == (503, ["the lms tool is not installed"])


def test_machine_that_does_not_wake_up_in_time_is_the_error(seen, woken, monkeypatch):
    monkeypatch.setattr(waking, "WAKE_SECONDS", 0.1)
    woken.by = lambda: None
    answer = seen.chat(model="big")
    assert (answer.status, answer.errors) == (503, ["sleeper was woken, but does not answer within 0.1 s"])


def test_model_to_preload_wakes_its_machine(start_pool, woken, until):
    shim = start_pool({"sleeper": {"tiny": None}}, SLEEPER, preload=("tiny",))
    shim["sleeper"].kill()
    woken.by = shim["sleeper"].back
    parts = services_of(shim._client().application)
    with Preloader(parts).running():
        until(lambda: shim["sleeper"].models["tiny"])


def test_only_machine_can_be_one_that_sleeps(start_pool, woken):
    shim = start_pool({"sleeper": {"tiny": 4096}}, SLEEPER)
    shim["sleeper"].kill()
    woken.by = shim["sleeper"].back
    assert shim.get("/ready").status_code == 200
    assert shim.chat().is_whole


def test_request_waiting_for_a_machine_reports_that_phase(seen, woken):
    waits, may_wake = threading.Event(), threading.Event()

    def hold():
        waits.set()
        may_wake.wait(10)
        seen["sleeper"].back()

    woken.by = hold
    chat = seen.chats(1, model="big")[0]
    waits.wait(10)
    assert "waking a machine" in [row["phase"] for row in seen.get("/shim/requests").json["running"]]
    may_wake.set()
    assert chat.result().is_whole
