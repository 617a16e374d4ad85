"""One load at a time for a model, and how long a loaded one stays."""

from __future__ import annotations

import math
import queue
import threading

import pytest

from flask_shim.errors import ClientDisconnected
from flask_shim.lmstudio.http.cancellation import BackendCall
from flask_shim.models.keep_alive import (
    KeepAliveTracker,
    LoadedModel,
    acquire,
    forget,
    release,
    wait_until_idle,
)


class Unloading:
    """Notes which models were unloaded; may be made to take its time."""

    def __init__(self):
        self.keys = []
        self.may_end = threading.Event()
        self.may_end.set()

    def __call__(self, key, is_given_up):
        self.keys.append(key)
        while not self.may_end.wait(0.01) and not is_given_up():
            pass


@pytest.fixture
def unloading():
    return Unloading()


@pytest.fixture
def residents(unloading):
    """Residents whose thread ends with the test."""
    all_of_them = KeepAliveTracker(unloading)
    yield all_of_them
    unloading.may_end.set()
    all_of_them.close()


class Waiting:
    """Does ``work(resident, call)`` on a thread, which is known to wait once the call was looked at."""

    def __init__(self, work, resident):
        self._looked = threading.Event()
        self._thread = threading.Thread(target=work, args=(resident, BackendCall(self._look)))
        self._thread.start()
        assert self._looked.wait(5)

    def _look(self):
        self._looked.set()
        return False

    def ends(self):
        self._thread.join(5)
        return not self._thread.is_alive()


def test_closing_gives_up_what_is_being_unloaded(residents, unloading, until):
    unloading.may_end.clear()
    resident = residents.of("m")
    residents.enter(resident, 0)
    residents.leave(resident)
    until(lambda: unloading.keys)
    residents.close()
    assert not resident.is_busy


def test_a_model_has_one_resident(residents):
    assert residents.of("m") is residents.of("m")
    assert residents.of("m") is not residents.of("n")


def test_a_turn_is_had_by_one_at_a_time(residents):
    resident, had = residents.of("m"), queue.SimpleQueue()

    def work(resident, call):
        acquire(resident, call)
        had.put(resident.is_busy)

    acquire(resident, BackendCall())
    threads = [Waiting(work, resident) for _ in range(3)]
    assert had.empty()
    for _ in threads:
        release(resident)
        assert had.get(timeout=5)
        assert had.empty()
    assert all(thread.ends() for thread in threads)


def test_turns_of_different_models_do_not_wait_for_each_other(residents):
    acquire(residents.of("m"), BackendCall())
    acquire(residents.of("n"), BackendCall(lambda: True))
    assert residents.of("n").is_busy


def test_who_waits_for_a_turn_can_be_cancelled(residents):
    resident = residents.of("m")
    acquire(resident, BackendCall())
    with pytest.raises(ClientDisconnected):
        acquire(resident, BackendCall(lambda: True))
    release(resident)
    acquire(resident, BackendCall(lambda: True))


def test_waiting_until_idle_ends_with_the_last_user(residents):
    resident = residents.of("m")
    residents.enter(resident, None)
    waiting = Waiting(wait_until_idle, resident)
    residents.leave(resident)
    assert waiting.ends()


def test_who_waits_until_idle_can_be_cancelled(residents):
    residents.enter(residents.of("m"), None)
    with pytest.raises(ClientDisconnected):
        wait_until_idle(residents.of("m"), BackendCall(lambda: True))


@pytest.mark.parametrize(
    ("agreed", "expires_at"),
    [
        ({"is_ours": True, "ttl": 60.0}, 160.0),
        ({"is_ours": True, "ttl": 60.0, "keep_alive": 30.0}, 130.0),
        ({"is_ours": True, "ttl": 60.0, "keep_alive": 90.0}, 160.0),
        ({"is_ours": True, "ttl": None, "keep_alive": 90.0}, 190.0),
        ({"is_ours": True, "keep_alive": math.inf}, math.inf),
        ({"is_ours": True, "keep_alive": 0.0}, 100.0),
        ({"is_ours": True}, None),
        ({"is_ours": False, "keep_alive": 30.0}, None),
        ({"is_ours": False, "ttl": 30.0}, None),
        ({"is_ours": False, "keep_alive": 0.0}, 100.0),
        ({"is_ours": True, "ttl": 60.0, "users": 1}, math.inf),
        ({"is_ours": True, "ttl": 60.0, "last_used_at": None}, None),
    ],
)
def test_a_model_leaves_when_it_was_agreed_to(agreed, expires_at):
    assert LoadedModel("m", **{"last_used_at": 100.0, **agreed}).expires_at == expires_at


def test_a_later_client_that_cares_replaces_what_was_agreed(residents):
    resident = residents.of("m")
    for keep_alive in (30.0, None, 0.0, None, math.inf):
        residents.enter(resident, keep_alive)
    assert (resident.keep_alive, resident.users) == (math.inf, 5)


def test_a_forgotten_resident_agrees_anew():
    resident = LoadedModel("m", last_used_at=1.0, keep_alive=5.0)
    resident.loaded(60.0)
    forget(resident)
    assert (resident.keep_alive, resident.ttl, resident.is_ours, resident.expires_at) == (None, None, False, None)


def used(residents, key, keep_alive):
    resident = residents.of(key)
    resident.loaded(None)
    residents.enter(resident, keep_alive)
    residents.leave(resident)
    return resident


def test_a_model_whose_time_is_up_is_unloaded_once(residents, unloading, until):
    used(residents, "m", 0.02)
    until(lambda: unloading.keys == ["m"])
    used(residents, "n", 0.0)
    until(lambda: unloading.keys == ["m", "n"])


def test_a_model_that_is_used_again_is_not_unloaded(residents, unloading, until):
    resident = used(residents, "m", 0.05)
    residents.enter(resident, None)
    used(residents, "n", 0.1)
    until(lambda: unloading.keys)
    assert unloading.keys == ["n"]
    residents.leave(resident)
    until(lambda: unloading.keys == ["n", "m"])


def test_models_that_stay_for_ever_do_not_keep_others_from_leaving(residents, unloading, until):
    used(residents, "m", math.inf)
    used(residents, "n", 3600.0)
    used(residents, "o", 0.01)
    until(lambda: unloading.keys == ["o"])


def test_requests_that_come_while_a_model_is_unloaded_wait_for_that(residents, unloading, until):
    unloading.may_end.clear()
    resident = used(residents, "m", 0.0)
    until(lambda: unloading.keys == ["m"])
    waiting = Waiting(acquire, resident)
    unloading.may_end.set()
    assert waiting.ends()


def test_a_model_that_is_being_loaded_is_not_unloaded(residents, unloading, until):
    resident = residents.of("m")
    acquire(resident, BackendCall())
    used(residents, "m", 0.0)
    used(residents, "n", 0.0)
    until(lambda: unloading.keys == ["n"])
    release(resident)
    until(lambda: unloading.keys == ["n", "m"])


def test_closing_ends_the_thread_and_unloads_nothing(residents, unloading):
    before = threading.active_count()
    used(residents, "m", 3600.0)
    assert threading.active_count() == before + 1
    residents.close()
    assert threading.active_count() == before
    used(residents, "m", 0.0)
    assert threading.active_count() == before
    assert unloading.keys == []
