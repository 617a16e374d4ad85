"""SHIM_PRELOAD: models that are in memory before anybody asks for them."""

from __future__ import annotations

import logging
import math
import threading
import time

import pytest
from support.answers import reads, silent
from support.backend_pool import to_toml
from support.fake_lmstudio import CRASHED, FakeLMStudio
from support.ports import unused_port
from support.processes import ShimProcess

from flask_shim.config import Config, shim_file
from flask_shim.inference import preload
from flask_shim.models import pool
from flask_shim.services import Services

LOAD = "/api/v1/models/load"


@pytest.fixture
def studio():
    with FakeLMStudio({"tiny": None, "large": None, "other": None}) as studio:
        yield studio


@pytest.fixture
def services(studio, tmp_path):
    """Return a function that gives the parts of a shim with these settings."""
    built = []

    def of(*names, **settings):
        settings = {"backend_url": studio.url, "data_dir": tmp_path, "preload": names, **settings}
        built.append(Services.build(Config(**settings)))
        return built[-1]

    yield of
    for one in built:
        one.close()


def running(parts):
    return preload.Preloader(parts).running()


def log_lines(caplog):
    return [(record.levelname, record.getMessage().partition(" ms=")[0]) for record in caplog.records]


def test_models_are_loaded_while_the_shim_starts(services, studio, until, caplog):
    caplog.set_level(logging.INFO, "flask_shim.inference.preload")
    studio.may_load.clear()
    with running(services("tiny", "large:latest")):
        until(lambda: studio.posted(LOAD))
        studio.may_load.set()
        until(lambda: studio.models["large"])
        until(lambda: len(caplog.records) == 2)
    assert studio.models == {"tiny": 4096, "large": 4096, "other": None}
    assert log_lines(caplog) == [("INFO", "preloaded model=tiny"), ("INFO", "preloaded model=large:latest")]


def test_without_models_nothing_is_done(services, studio):
    with running(services()):
        assert "shim-preloading" not in [thread.name for thread in threading.enumerate()]
    assert studio.asked == []


def test_a_failed_preload_is_a_warning_and_the_next_one_follows(services, studio, until, caplog):
    studio.answer = lambda asked: CRASHED if (asked.json or {}).get("model") == "large" else None
    with running(services("nope", "large", "tiny")):
        until(lambda: studio.models["tiny"])
    assert log_lines(caplog) == [
        ("WARNING", "not preloaded model=nope: LM Studio has no model 'nope'"),
        ("WARNING", "not preloaded model=large: Failed to load model. Out of memory."),
    ]


def test_lm_studio_that_is_not_there_yet_is_waited_for(services, until, caplog, monkeypatch):
    monkeypatch.setattr(preload, "RETRY_SECONDS", 0.01)
    parts = services("tiny", backend_url=f"http://127.0.0.1:{unused_port()}", request_retries=0)
    attempts, listing = [], parts.backends.first.client.listing
    monkeypatch.setattr(parts.backends.first.client, "listing", lambda **age: attempts.append(age) or listing(**age))
    with running(parts):
        until(lambda: len(attempts) > 3)
    [(level, text)] = log_lines(caplog)
    assert (level, text.startswith("preloading waits for LM Studio: LM Studio is not reachable")) == ("WARNING", True)


def test_machine_that_is_not_there_yet_is_waited_for(services, studio, tmp_path, until, caplog, monkeypatch):
    monkeypatch.setattr(preload, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(pool, "PROBE_SECONDS", 0.01)
    file = tmp_path / "two.toml"
    with FakeLMStudio({"far": None}) as later:
        later.kill()
        file.write_text(to_toml({"here": studio.url, "there": later.url}), encoding="utf-8")
        with running(services("far", "tiny", file=shim_file.read(file)[0], request_retries=0)):
            until(lambda: ("WARNING", "preloading waits for the LM Studio that has far") in log_lines(caplog))
            later.back()
            until(lambda: later.models["far"])
    assert studio.models["tiny"]


def test_loading_is_given_up_when_the_shim_stops(services, studio, until, caplog):
    studio.may_load.clear()
    with running(services("tiny", "large")):
        until(lambda: studio.posted(LOAD))
    studio.may_load.set()
    assert len(studio.posted(LOAD)) == 1
    assert log_lines(caplog) == []


def test_pending_list_is_aborted_when_the_shim_stops(services, socket_server, caplog):
    backend = socket_server(reads(silent))
    before = time.monotonic()
    with running(services("tiny", backend_url=backend.url, list_timeout=60.0)):
        backend.until(lambda: backend.asked)
    assert time.monotonic() - before < 30
    assert log_lines(caplog) == []


@pytest.mark.parametrize(("settings", "seconds"), [({}, math.inf), ({"default_ttl": 60.0}, 60.0)])
def test_preloaded_model_stays_unless_a_time_is_set(services, studio, until, settings, seconds):
    parts = services("tiny", **settings)
    with running(parts):
        until(lambda: parts.backends.first.loader.tracker.of("tiny").last_used_at)
    assert parts.backends.first.loader.tracker.of("tiny").keep_alive == seconds


def test_preloaded_model_has_the_default_context(services, studio, until):
    with running(services("tiny", default_context=2048)):
        until(lambda: studio.models["tiny"])
    assert studio.models["tiny"] == 2048


def test_read_only_shim_preloads_too(services, studio, until):
    with running(services("tiny", read_only=True)):
        until(lambda: studio.models["tiny"])


@pytest.mark.parametrize("workers", ["1", "2"])
def test_serve_preloads_once_however_many_processes_there_are(studio, workers):
    with ShimProcess(studio.url, SHIM_PRELOAD="tiny", SHIM_WORKERS=workers) as shim:
        shim.until("preloaded model=tiny")
        assert shim.get("/api/ps").json()["models"][0]["name"] == "tiny:latest"
    assert len(studio.posted(LOAD)) == 1


def test_serve_starts_though_nothing_can_be_preloaded(studio):
    with ShimProcess(studio.url, SHIM_PRELOAD="nope") as shim:
        shim.until("not preloaded model=nope")
        assert shim.get("/health").status_code == 200
