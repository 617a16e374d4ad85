"""One list asked for by one thread while others wait, and who of them does not wait for long."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import pytest
from support.answers import replies, silent
from support.fake_lmstudio import FakeLMStudio

from flask_shim.errors import ShimError
from flask_shim.lmstudio import ClientOptions, LMStudio, catalogue
from flask_shim.lmstudio.http.waiters import BoundedWaiters

LIST = "/api/v1/models"


def in_threads(count, action):
    """Run ``action`` in threads; return them and the list of what it returned or raised so far."""
    got = []

    def act():
        try:
            got.append(action())
        except ShimError as exc:
            got.append(exc)

    threads = [threading.Thread(target=act) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, got


def test_turn_that_is_free_is_taken_at_once():
    queue = BoundedWaiters(2, patience=0)
    for _ in range(2):
        with queue.take() as first, queue.take() as second, queue.take() as third:
            assert (first, second, third) == (True, True, False)


def test_turn_is_given_back_by_a_failure():
    queue = BoundedWaiters(patience=0)
    with suppress(KeyError), queue.take():
        raise KeyError
    with queue.take() as is_ours:
        assert is_ours


def test_turn_is_held_by_one_thread_at_a_time():
    queue, counted = BoundedWaiters(most_patient=None, patience=0), []

    def count():
        with queue.take() as is_ours:
            assert is_ours
            before = len(counted)
            time.sleep(0)
            counted.append(before)

    threads, _ = in_threads(20, count)
    for thread in threads:
        thread.join()
    assert counted == list(range(20))


@pytest.mark.parametrize(("most_patient", "waiting"), [(None, 5), (3, 3), (0, 0)])
def test_only_so_many_wait_for_a_turn_that_takes_long(until, most_patient, waiting):
    queue = BoundedWaiters(most_patient=most_patient, patience=0.05)

    def wait():
        with queue.take() as is_ours:
            return is_ours

    with queue.take():
        threads, got = in_threads(5, wait)
        until(lambda: len(got) == 5 - waiting)
    for thread in threads:
        thread.join()
    assert sorted(got) == [False] * (5 - waiting) + [True] * waiting


@pytest.fixture
def studio():
    with FakeLMStudio() as one:
        yield one


@pytest.fixture
def client(studio, monkeypatch):
    monkeypatch.setattr(catalogue, "PATIENCE_SECONDS", 0.05)
    with LMStudio(ClientOptions(base_url=studio.url, catalogue_ttl=0, max_waiting=1, list_timeout=5)) as one:
        yield one


def test_list_of_before_is_given_while_a_new_one_is_waited_for(studio, client, until):
    before = client.listing()
    asked = threading.Event()
    studio.answers[LIST] = lambda peer: asked.wait(5) and replies({"models": []})(peer)
    threads, got = in_threads(6, client.listing)
    until(lambda: len(got) == 4)
    assert got == [before] * 4
    asked.set()
    for thread in threads:
        thread.join()
    assert [listing.models for listing in got[4:]] == [(), ()]


@pytest.mark.parametrize("wish", [{"max_age": 0}, {"must_answer": True}])
def test_list_of_before_is_no_answer_where_the_present_one_is_wanted(studio, client, until, wish):
    client.listing()
    studio.answers[LIST] = silent
    threads, got = in_threads(6, lambda: client.listing(**wish))
    until(lambda: len(got) == 4)
    assert {exc.text for exc in got} == {"LM Studio has not listed its models yet, and enough requests wait for it"}
    studio.answers.clear()
    studio.kill()
    for thread in threads:
        thread.join()


def test_the_cached_list_is_returned_during_a_refresh(studio, until):
    with LMStudio(ClientOptions(base_url=studio.url, max_waiting=0)) as client:
        cached = client.listing()
        studio.answers[LIST] = silent
        threads, _ = in_threads(1, lambda: client.listing(max_age=0))
        studio.until(lambda: len(studio.asked_for(LIST)) == 2)
        assert client.listing() is cached
        client.catalogue.expire()  # does not wait either
        studio.answers.clear()
        studio.kill()
        for thread in threads:
            thread.join()
