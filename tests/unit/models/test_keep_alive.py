"""One load at a time for a model, and how long a loaded one is kept."""

from __future__ import annotations

import math
import queue
import threading

import pytest

from flask_shim.lmstudio import BackendCall, Instance, Model
from flask_shim.lmstudio.errors import ClientDisconnected
from flask_shim.models.keep_alive import KeepAliveTracker, LoadedModel


class Unloading:
    """Records which models were unloaded; can be made to wait."""

    def __init__(self):
        self.keys = []
        self.may_end = threading.Event()
        self.may_end.set()

    def __call__(self, key, is_closed):
        self.keys.append(key)
        while not self.may_end.wait(0.01) and not is_closed():
            pass


@pytest.fixture
def unloading():
    return Unloading()


@pytest.fixture
def tracker(unloading):
    """A tracker whose thread ends with the test."""
    tracker = KeepAliveTracker(unloading)
    yield tracker
    unloading.may_end.set()
    tracker.close()


class Waiting:
    """Runs ``work(call)`` on a thread, and returns once it waits: it has then checked its call."""

    def __init__(self, work):
        self._looked = threading.Event()
        self._thread = threading.Thread(target=work, args=(BackendCall(self._look),))
        self._thread.start()
        assert self._looked.wait(5)

    def _look(self):
        self._looked.set()
        return False

    def ends(self):
        self._thread.join(5)
        return not self._thread.is_alive()


def test_closing_aborts_a_running_unload(tracker, unloading, until):
    unloading.may_end.clear()
    loaded = tracker.of("m")
    tracker.enter(loaded, 0)
    tracker.leave(loaded)
    until(lambda: unloading.keys)
    tracker.close()
    assert not loaded.is_busy


def test_a_model_has_one_entry(tracker):
    assert tracker.of("m") is tracker.of("m")
    assert tracker.of("m") is not tracker.of("n")


def test_one_thread_at_a_time_has_the_turn(tracker):
    loaded, had = tracker.of("m"), queue.SimpleQueue()

    def work(call):
        loaded.acquire(call)
        had.put(loaded.is_busy)

    loaded.acquire(BackendCall())
    threads = [Waiting(work) for _ in range(3)]
    assert had.empty()
    for _ in threads:
        loaded.release()
        assert had.get(timeout=5)
        assert had.empty()
    assert all(thread.ends() for thread in threads)


def test_turns_of_different_models_are_independent(tracker):
    tracker.of("m").acquire(BackendCall())
    tracker.of("n").acquire(BackendCall(lambda: True))
    assert tracker.of("n").is_busy


def test_waiting_for_a_turn_can_be_canceled(tracker):
    loaded = tracker.of("m")
    loaded.acquire(BackendCall())
    with pytest.raises(ClientDisconnected):
        loaded.acquire(BackendCall(lambda: True))
    loaded.release()
    loaded.acquire(BackendCall(lambda: True))


def test_waiting_until_idle_ends_with_the_last_user(tracker):
    loaded = tracker.of("m")
    tracker.enter(loaded, None)
    waiting = Waiting(loaded.wait_until_idle)
    tracker.leave(loaded)
    assert waiting.ends()


def test_waiting_until_idle_can_be_canceled(tracker):
    tracker.enter(tracker.of("m"), None)
    with pytest.raises(ClientDisconnected):
        tracker.of("m").wait_until_idle(BackendCall(lambda: True))


@pytest.mark.parametrize(
    ("state", "expires_at", "seconds_left"),
    [
        ({"is_ours": True, "ttl": 60.0}, 160.0, 50.0),
        ({"is_ours": True, "ttl": 60.0, "keep_alive": 30.0}, 130.0, 20.0),
        ({"is_ours": True, "ttl": 60.0, "keep_alive": 90.0}, 160.0, 50.0),
        ({"is_ours": True, "ttl": None, "keep_alive": 90.0}, 190.0, 80.0),
        ({"is_ours": True, "keep_alive": math.inf}, math.inf, math.inf),
        ({"is_ours": True, "keep_alive": 0.0}, 100.0, 0.0),
        ({"is_ours": True}, None, math.inf),
        ({"is_ours": False, "keep_alive": 30.0}, None, math.inf),
        ({"is_ours": False, "ttl": 30.0}, None, math.inf),
        ({"is_ours": False, "keep_alive": 0.0}, 100.0, 0.0),
        ({"is_ours": True, "ttl": 60.0, "users": 1}, math.inf, 60.0),
        ({"is_ours": True, "ttl": 60.0, "last_used_at": None}, None, math.inf),
    ],
)
def test_a_model_expires_after_its_keep_alive(state, expires_at, seconds_left):
    loaded = LoadedModel("m", **{"last_used_at": 100.0, **state})
    assert (loaded.expires_at, loaded.seconds_left(now=110.0)) == (expires_at, seconds_left)


@pytest.mark.parametrize(
    ("granted", "length", "context", "is_enough"),
    [
        ((0, None), 4096, 4096, True),
        ((0, None), 4096, 4097, False),
        ((8192, 4096), 4096, 8192, True),
        ((8192, 4096), 4096, 6000, True),
        ((8192, 4096), 4096, 8193, True),
        ((8192, 8192), 8192, 8193, False),
        ((8192, 4096), 2048, 8192, False),
        ((8192, None), 2048, 8192, True),
        ((8192, None), 2048, 9000, True),
        ((8192, None), 2048, 8191, False),
        ((0, None), None, 8192, True),
    ],
)
def test_no_more_context_is_requested_than_granted(granted, length, context, is_enough):
    model = Model(key="m", instances=(Instance("m", length),))
    assert LoadedModel("m", granted=granted).has_context(model, context, context) is is_enough


def test_a_model_that_is_not_loaded_has_no_context():
    assert not LoadedModel("m", granted=(8192, None)).has_context(Model(key="m"), 1, 1)


def test_a_later_keep_alive_replaces_an_earlier_one(tracker):
    loaded = tracker.of("m")
    for keep_alive in (30.0, None, 0.0, None, math.inf):
        tracker.enter(loaded, keep_alive)
    assert (loaded.keep_alive, loaded.users) == (math.inf, 5)


def test_an_unloaded_model_starts_afresh():
    loaded = LoadedModel("m", last_used_at=1.0, keep_alive=5.0, granted=(8192, 4096))
    loaded.note_load(60.0)
    loaded.forget()
    assert (loaded.keep_alive, loaded.ttl, loaded.is_ours, loaded.expires_at) == (None, None, False, None)
    assert loaded.granted == (0, None)


def use_once(tracker, key, keep_alive):
    loaded = tracker.of(key)
    loaded.note_load(None)
    tracker.enter(loaded, keep_alive)
    tracker.leave(loaded)
    return loaded


def test_an_expired_model_is_unloaded_once(tracker, unloading, until):
    use_once(tracker, "m", 0.02)
    until(lambda: unloading.keys == ["m"])
    use_once(tracker, "n", 0.0)
    until(lambda: unloading.keys == ["m", "n"])


def test_a_model_in_use_is_not_unloaded(tracker, unloading, until):
    loaded = use_once(tracker, "m", 0.05)
    tracker.enter(loaded, None)
    use_once(tracker, "n", 0.1)
    until(lambda: unloading.keys)
    assert unloading.keys == ["n"]
    tracker.leave(loaded)
    until(lambda: unloading.keys == ["n", "m"])


def test_models_without_an_end_do_not_delay_others(tracker, unloading, until):
    use_once(tracker, "m", math.inf)
    use_once(tracker, "n", 3600.0)
    use_once(tracker, "o", 0.01)
    until(lambda: unloading.keys == ["o"])


def test_requests_wait_while_their_model_is_unloaded(tracker, unloading, until):
    unloading.may_end.clear()
    loaded = use_once(tracker, "m", 0.0)
    until(lambda: unloading.keys == ["m"])
    waiting = Waiting(loaded.acquire)
    unloading.may_end.set()
    assert waiting.ends()


def test_a_model_that_is_loading_is_not_unloaded(tracker, unloading, until):
    loaded = tracker.of("m")
    loaded.acquire(BackendCall())
    use_once(tracker, "m", 0.0)
    use_once(tracker, "n", 0.0)
    until(lambda: unloading.keys == ["n"])
    loaded.release()
    until(lambda: unloading.keys == ["n", "m"])


def test_closing_ends_the_thread_and_unloads_nothing(tracker, unloading):
    before = threading.active_count()
    use_once(tracker, "m", 3600.0)
    assert threading.active_count() == before + 1
    tracker.close()
    assert threading.active_count() == before
    use_once(tracker, "m", 0.0)
    assert threading.active_count() == before
    assert unloading.keys == []
