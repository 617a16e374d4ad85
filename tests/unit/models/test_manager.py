"""One manager uses, loads and unloads models: what it sends to LM Studio, and how often."""

from __future__ import annotations

import math
import threading
from contextlib import closing

import pytest
from support.fake_lmstudio import CHAT, CRASHED, LOAD, NONE_LOADED, UNLOAD, FakeLMStudio, Status

from flask_shim.config import Config
from flask_shim.errors import Forbidden
from flask_shim.lmstudio import BackendCall
from flask_shim.lmstudio.errors import BackendRequestError, ModelEvicted, ModelLoadError, NoModelLoaded
from flask_shim.models.loader import ModelRequirements
from flask_shim.services import Services

EVICTED = Status(400, {"error": "Model unloaded."})
EFFORT_REJECTED = Status(400, {"error": "Invalid reasoning_effort. Supported values: none, low"})
STREAM = {"messages": [{"role": "user", "content": "Hello"}], "stream": True}


@pytest.fixture
def studio():
    with FakeLMStudio({"tiny": 4096, "cold": None}) as studio:
        yield studio


@pytest.fixture
def parts(studio, tmp_path):
    """Return a function that builds the parts of a shim with these settings."""
    built = []

    def build(**settings):
        built.append(Services.build(Config(backend_url=studio.url, data_dir=tmp_path, **settings)))
        return built[-1]

    yield build
    for one in built:
        one.close()


def requirements(services, name="tiny", **more):
    return ModelRequirements(target=services.registry.find(name), **more)


def chat(services, name="tiny", payload=STREAM, **more):
    """Send one chat; return whether it loaded the model."""
    backend = services.backends.first.client
    with closing(services.manager.use(requirements(services, name, **more))) as use:
        use.send(lambda named: backend.open_completion(CHAT, named, use.call), payload).close()
        return use.is_cold


def in_turn(studio, path, *answers):
    """Answer a path with each of these in turn, and then as usual."""
    rest = list(answers)
    studio.answer = lambda asked: rest.pop(0) if asked.path == path and rest else None


def sent(studio):
    return [asked.path for asked in studio.asked if asked.method == "POST"]


def test_model_name_is_written_into_the_payload(parts, studio):
    chat(parts(), "TINY:latest")
    assert [body["model"] for body in studio.posted(CHAT)] == ["tiny"]


def test_nothing_is_held_after_a_use(parts):
    services = parts()
    chat(services)
    assert (services.slots.in_use, len(services.backends.first.client.watchdog)) == (0, 0)
    assert services.backends.first.loader.tracker.of("tiny").users == 0


@pytest.mark.parametrize("name", ["tiny", "cold"])
def test_nothing_is_held_after_a_failed_use(parts, studio, name):
    studio.answers[CHAT] = CRASHED
    services = parts()
    with pytest.raises(ModelLoadError):
        chat(services, name)
    loaded = services.backends.first.loader.tracker.of(name)
    assert (services.slots.in_use, len(services.backends.first.client.watchdog)) == (0, 0)
    assert (loaded.users, loaded.is_busy) == (0, False)


def test_simultaneous_first_requests_load_one_copy(parts, studio):
    services, loading = parts(), []

    def note_load(asked):
        if asked.path == CHAT and studio.models["cold"] is None:
            loading.append(asked)

    studio.answer = note_load
    threads = [threading.Thread(target=chat, args=(services, "cold")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (len(loading), len(studio.posted(CHAT))) == (1, 4)


def test_context_that_is_not_granted_is_no_reason_to_reload(parts, studio, caplog):
    services = parts()

    def grant_little(asked):
        if asked.path != LOAD:
            return None
        studio.models["tiny"] = 4096
        return {"instance_id": "tiny", "status": "loaded"}

    studio.answer, studio.models["tiny"] = grant_little, 2048
    for context in (8192, 8192, 6000):
        chat(services, context=context)
    assert sent(studio) == [UNLOAD, LOAD, CHAT, CHAT, CHAT]
    assert caplog.text.count("LM Studio did not grant 8192") == 1


def test_load_that_failed_is_not_repeated_while_the_model_is_loaded(parts, studio):
    services = parts()
    studio.answers[LOAD] = CRASHED
    for _ in range(3):
        chat(services, context=8192)
    assert sent(studio) == [UNLOAD, LOAD, LOAD, CHAT, CHAT, CHAT]
    assert [body.get("context_length") for body in studio.posted(LOAD)] == [8192, 4096]


def test_context_is_requested_again_after_a_manual_load(parts, studio):
    services = parts(model_cache_ttl=0)
    studio.models["tiny"] = 2048
    studio.answers[LOAD] = CRASHED
    chat(services, context=8192)
    studio.answers.clear()
    services.manager.unload(services.registry.find("tiny"), BackendCall())
    studio.models["tiny"] = 2048
    chat(services, context=8192)
    assert studio.models["tiny"] == 8192


@pytest.mark.parametrize("context", [4096, 0])
def test_model_loaded_by_hand_gets_no_second_copy(parts, studio, context):
    services = parts()
    needed = requirements(services, "cold", context=context)  # the list is read and cached here
    studio.models["cold"] = 8192
    services.manager.load(needed, BackendCall())
    chat(services, "cold", context=context)
    assert sent(studio) == [CHAT]


def test_model_unloaded_by_hand_is_loaded_by_an_explicit_load(parts, studio):
    services = parts()
    needed = requirements(services)
    studio.models["tiny"] = None
    services.manager.load(needed, BackendCall())
    assert sent(studio) == [LOAD]


def test_a_model_with_too_little_context_is_unloaded_before_a_load(parts, studio):
    services = parts()
    needed = requirements(services, "cold", context=8192)
    studio.models["cold"] = 2048
    services.manager.load(needed, BackendCall())
    assert sent(studio) == [UNLOAD, LOAD]


@pytest.mark.parametrize(
    ("failure", "kind", "attempts"),
    [(EVICTED, ModelEvicted, 2), (EFFORT_REJECTED, BackendRequestError, 1), (CRASHED, ModelLoadError, 1)],
)
def test_a_request_is_sent_twice_at_most_for_one_failure(parts, studio, failure, kind, attempts):
    studio.answers[CHAT] = failure
    with pytest.raises(kind):
        chat(parts())
    assert len(studio.posted(CHAT)) == attempts


def test_an_evicted_model_gets_its_context_again(parts, studio):
    services = parts()

    def evict_once(asked):
        if asked.path != CHAT or len(studio.posted(CHAT)) > 1:
            return None
        studio.models["tiny"] = None
        return EVICTED

    studio.answer = evict_once
    chat(services, context=4096)
    assert sent(studio) == [CHAT, LOAD, CHAT]
    assert services.backends.first.loader.tracker.of("tiny").users == 0


def test_rejected_reasoning_effort_is_left_out_the_second_time(parts, studio):
    in_turn(studio, CHAT, EFFORT_REJECTED)
    chat(parts(), payload={**STREAM, "reasoning_effort": "high"})
    assert [body.get("reasoning_effort") for body in studio.posted(CHAT)] == ["high", None]


def test_each_failure_is_recovered_from_once(parts, studio):
    in_turn(studio, CHAT, NONE_LOADED, EFFORT_REJECTED)
    chat(parts(), "cold", payload={**STREAM, "reasoning_effort": "high"})
    assert sent(studio) == [CHAT, LOAD, CHAT, CHAT]
    assert [body.get("reasoning_effort") for body in studio.posted(CHAT)] == ["high", "high", None]


@pytest.mark.parametrize("read_only", [True, False])
def test_model_is_loaded_explicitly_where_jit_loading_is_off(parts, studio, read_only):
    in_turn(studio, CHAT, NONE_LOADED)
    services = parts(read_only=read_only)
    if read_only:
        with pytest.raises(NoModelLoaded):
            chat(services, "cold")
        assert sent(studio) == [CHAT]
    else:
        assert chat(services, "cold")
        assert sent(studio) == [CHAT, LOAD, CHAT]


def test_read_only_manager_reloads_for_no_client(parts, studio):
    services = parts(read_only=True)
    chat(services, context=8192, keep_alive=0.0)
    assert sent(studio) == [CHAT]
    assert services.manager.seconds_left(services.registry.find("tiny").model) == math.inf
    with pytest.raises(Forbidden, match="SHIM_READ_ONLY"):
        services.manager.check_may_change()


def test_a_manager_may_change_models_by_default(parts):
    parts().manager.check_may_change()


def test_mandatory_context_that_cannot_be_loaded_is_an_error(parts, studio):
    services = parts()
    studio.answers[LOAD] = CRASHED
    with pytest.raises(ModelLoadError):
        services.manager.load_pinned(services.registry.find("cold"), BackendCall(), context=8192, must_fit=True)
    assert not services.backends.first.loader.tracker.of("cold").is_busy


def test_unload_returns_what_was_unloaded(parts, studio):
    services = parts()
    target = services.registry.find("tiny")
    assert services.manager.unload(target, BackendCall()) == ("tiny",)
    assert services.manager.unload(target, BackendCall()) == ()


def test_model_in_use_is_unloaded_after_its_last_request(parts, studio, until):
    services = parts()
    needed = requirements(services)
    with closing(services.manager.use(needed)):
        assert services.manager.unload(needed.target, BackendCall()) == ()
        assert sent(studio) == []
    until(lambda: studio.models["tiny"] is None)
