"""Having a model ready: found, downloaded if it is missing, and loaded while the program goes on."""

from __future__ import annotations

import pytest
from support.fake_lmstudio import CRASHED, NONE_LOADED

from flask_shim.backend import client_from_env
from flask_shim.config import Config
from flask_shim.lmstudio import ClientOptions, LMStudio, downloads, ensure_ready, readiness
from flask_shim.lmstudio.errors import BackendError, BackendUnavailable, ModelNotFound, NotSupported

LOAD = "/api/v1/models/load"
CHAT = "/v1/chat/completions"


@pytest.fixture
def studio(monkeypatch, start_studio):
    """Return a function that starts a backend and gives it with a client; nothing waits long."""
    monkeypatch.setattr(downloads, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(readiness, "SETTLE_SECONDS", 0.0)

    def of(api_version="v1", **models):
        server, client = start_studio(version=api_version, models=models)
        server.offers = {}
        return server, client

    return of


def test_model_that_is_loaded_is_ready(studio):
    server, client = studio(m=4096)
    assert ensure_ready(client, "m") == readiness.Readiness(key="m", is_loaded=True)
    assert server.paths() == []


def test_model_is_loaded_in_the_background(studio):
    server, client = studio(m=None)
    server.may_load.clear()
    ready = ensure_ready(client, "m")
    assert (ready.key, ready.is_loaded, ready.was_downloaded, ready.warnings) == ("m", False, False, ())
    assert not ready.preload.wait(0)
    server.may_load.set()
    assert ready.preload.wait(10)
    assert server.paths() == ["POST /api/v1/models/load"]


def test_model_is_not_loaded_when_that_is_not_wanted(studio):
    server, client = studio(m=None)
    assert ensure_ready(client, "m", preload=False).preload is None
    assert server.paths() == []


def test_preload_that_fails_is_a_warning(studio, caplog):
    server, client = studio(m=None)
    server.answers[LOAD] = CRASHED
    ready = ensure_ready(client, "m")
    assert not ready.preload.wait(10)
    assert ready.preload.failure.text == "Failed to load model. Out of memory."
    assert caplog.messages == ["model=m is not preloaded: Failed to load model. Out of memory."]


@pytest.mark.parametrize("brought", ["maker/new", "new-under-another-name"])
def test_missing_model_is_downloaded_and_then_loaded(studio, brought):
    server, client = studio(m=4096)
    server.offers = {"maker/new": [brought]}
    moments = []
    ready = ensure_ready(client, "maker/new", on_progress=moments.append)
    assert (ready.key, ready.was_downloaded) == (brought, True)
    assert [moment.done_bytes for moment in moments] == [None, 100]
    assert ready.preload.wait(10)
    assert [asked.json["model"] for asked in server.asked if asked.method == "POST"] == ["maker/new", brought]


@pytest.mark.parametrize("brought", [[], ["a", "b"]])
def test_download_that_cannot_be_identified_is_a_warning(studio, brought):
    server, client = studio(m=4096)
    server.offers = {"maker/new": brought}
    ready = ensure_ready(client, "maker/new")
    assert (ready.key, ready.was_downloaded, ready.preload) == ("maker/new", True, None)
    assert ready.warnings == ("downloaded 'maker/new', but LM Studio lists no model with that key",)


def test_download_that_fails_is_raised(studio):
    _, client = studio(m=4096)
    with pytest.raises(BackendError, match="No such model on offer"):
        ensure_ready(client, "nope")


def test_missing_model_on_an_old_backend_is_raised_with_its_name(studio):
    _, client = studio("v0", m=None)
    with pytest.raises(NotSupported, match="no model 'nope', and this LM Studio cannot download a model over HTTP"):
        ensure_ready(client, "nope")


def test_lm_studio_that_is_away_is_raised_with_help():
    client = LMStudio(ClientOptions(base_url="http://127.0.0.1:9", connect_retries=0))
    with client, pytest.raises(BackendUnavailable, match="lms server start"):
        ensure_ready(client, "m")


def test_list_that_is_garbled_is_a_warning(studio):
    server, client = studio(m=4096)
    server.answers = dict.fromkeys(("/api/v1/models", "/api/v0/models", "/v1/models"), b"<html>")
    ready = ensure_ready(client, "m")
    assert (ready.key, ready.preload) == ("m", None)
    assert ready.warnings[0].startswith("LM Studio did not list its models, so 'm' may be missing: LM Studio's answer")


@pytest.mark.parametrize("api_version", ["v0", "openai"])
def test_old_backend_generates_a_token_to_load_a_model(studio, api_version):
    server, client = studio(api_version, m=None)
    client.preload("m")
    assert server.paths() == ["POST /v1/chat/completions"]
    assert server.asked[-1].json["max_tokens"] == 1


def test_old_backend_makes_a_vector_to_load_a_model(studio):
    key = "text-embedding-m"
    server, client = studio("v0", **{key: None})
    client.preload(key)
    assert server.asked[-1].json == {"model": key, "input": ["."]}


def test_old_backend_without_jit_loading_names_the_remedy(studio):
    server, client = studio("v0", m=None)
    server.answers[CHAT] = NONE_LOADED
    with pytest.raises(NotSupported, match="cannot load a model over HTTP"):
        client.preload("m")


def test_preloading_a_missing_model_lists_the_others(studio):
    _, client = studio(m=None)
    with pytest.raises(ModelNotFound, match=r"no model 'nope'; among those it has: m$"):
        client.preload("nope")


def test_model_to_make_ready_comes_from_the_settings(studio):
    server, _ = studio(**{"mine": 1, readiness.DEFAULT_MODEL: 1})
    environ = {"LMSTUDIO_URL": server.url}
    for more, key in (({}, "openai/gpt-oss-20b"), ({"DEFAULT_REGULAR_MODEL": "mine"}, "mine")):
        env = {**environ, **more}
        with client_from_env(env, env_file="") as client:
            assert ensure_ready(client, Config.for_client(env, env_file="").ensure_model).key == key


def test_settings_and_client_agree_on_the_default_model():
    assert Config().ensure_model == readiness.DEFAULT_MODEL
