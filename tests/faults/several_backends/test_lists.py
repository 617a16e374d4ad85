"""Lists never wait for machines that are off, asleep or frozen; what those had leaves the list and comes back."""

from __future__ import annotations

import pytest
from support.backend_pool import BREAK, mend
from support.fake_lmstudio import CHAT
from support.processes import ShimProcess

TINY = {"tiny": 4096}
NO_LIMIT = {"connect_timeout": 0, "list_timeout": 0}
"""A request that waits for a dead machine would wait until the test fails."""


@pytest.fixture
def three_dead(start_pool):
    """One that works and three that don't; the shim has not heard of any of them yet."""
    shim = start_pool({"works": TINY, "refusing": {"a": 1}, "frozen": {"b": 1}, "unplugged": {"c": 1}}, **NO_LIMIT)
    for name, break_it in BREAK.items():
        break_it(shim[name])
    return shim


@pytest.mark.parametrize("path", ["/api/tags", "/api/ps", "/v1/models", "/models", "/ready", "/metrics"])
def test_a_list_does_not_wait_for_the_dead(three_dead, path):
    assert three_dead.get(path).status_code == 200


def test_the_first_chat_does_not_wait_for_the_dead(three_dead):
    assert three_dead.chat().is_whole


def test_a_list_waits_for_the_slowest_reachable_backend(start_pool):
    shim = start_pool({"fast": TINY, "slow": {"other": 4096}}, model_cache_ttl=0.0)
    assert shim.names() == {"tiny", "other"}
    shim["slow"].list_seconds = 0.5
    assert shim.names() == {"tiny", "other"}


def test_a_model_of_a_machine_that_has_not_listed_yet_is_found(start_pool):
    shim = start_pool({"fast": TINY, "slow": {"other": 4096}})
    shim["slow"].list_seconds = 0.6
    assert shim.chat(model="other").is_whole


@pytest.mark.parametrize("how", BREAK)
@pytest.mark.usefixtures("probes")
def test_models_leave_the_list_after_a_failure_and_come_back(start_pool, until, how):
    settings = {"connect_timeout": 0.2, "list_timeout": 0.2, "model_cache_ttl": 0.0}
    shim = start_pool({"stays": TINY, "leaves": {"other": 4096}}, **settings)
    assert shim.names() == {"tiny", "other"}
    BREAK[how](shim["leaves"])
    until(lambda: shim.names() == {"tiny"})
    mend(shim["leaves"])
    until(lambda: shim.names() == {"tiny", "other"})
    assert shim.chat(model="other").is_whole


@pytest.mark.usefixtures("probes")
def test_error_while_all_backends_are_away_and_recovery(start_pool, until):
    shim = start_pool({"one": TINY, "two": TINY}, connect_timeout=0.2, list_timeout=0.2)
    for studio in shim.studios.values():
        studio.kill()
    failed = shim.chat()
    assert failed.status == 503
    assert "LM Studio" in failed.errors[0]
    shim["two"].back()
    until(lambda: shim.chat().is_whole)


def test_a_frozen_machine_does_not_prevent_recovery_of_others(start_pool, until, probes):
    shim = start_pool({"stays": TINY, "frozen": {"a": 1}, "back": {"b": 1}}, **NO_LIMIT)
    shim["frozen"].server.freeze()
    shim["back"].kill()
    assert shim.names() == {"tiny"}
    shim["back"].back()
    until(lambda: shim.names() == {"tiny", "b"})


def test_a_process_starts_while_machines_are_dead(three_dead):
    with ShimProcess(SHIM_CONFIG=str(three_dead.file), SHIM_LIST_TIMEOUT="600", SHIM_CONNECT_TIMEOUT="600") as shim:
        assert [model["name"] for model in shim.get("/api/tags").json()["models"]] == ["tiny:latest"]
        assert b'"done":true' in shim.chat().content


def test_a_name_for_a_machine_that_never_answered_says_why_it_fails(start_pool):
    shim = start_pool({"works": TINY, "dead": TINY})
    shim["dead"].kill()
    failed = shim.chat(model="dead/tiny")
    assert failed.status == 503
    assert shim["dead"].url in failed.errors[0]
    assert shim.chat(model="works/other").status == 404


@pytest.mark.parametrize("name", ["drained/other", "other"])
def test_a_model_of_a_drained_machine_is_refused_as_busy(start_pool, name):
    shim = start_pool({"works": TINY, "drained": {"other": 4096}})
    assert shim.chat(model="other").is_whole
    shim.file.write_text(shim.file.read_text(encoding="utf-8") + "drain = true\n", encoding="utf-8")
    assert shim.post("/shim/reload", {}).status_code == 200
    failed = shim.chat(model=name)
    assert (failed.status, len(shim["drained"].asked_for(CHAT))) == (503, 1)
    assert "drained takes no new requests" in failed.errors[0]
