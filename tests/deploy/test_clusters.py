"""Two shims behind one front proxy, of which one goes away while both are at work."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.answers import streams
from support.fake_lmstudio import CHAT
from support.fronts import Front
from support.processes import ShimProcess

CLIENTS = 6
ASKED = 40
"""Requests before one shim goes, and again after."""

HELLO = {"model": "tiny", "messages": [{"role": "user", "content": "Hello"}]}


class Load:
    """Clients that ask one thing after the other; a context manager. ``answers`` is when each began and its outcome."""

    def __init__(self, front):
        self.front = front
        self.answers = []
        self._ends = threading.Event()
        self._pool = ThreadPoolExecutor(CLIENTS)

    def since(self, moment):
        """Return the outcomes of what began then or later: the status, or what went wrong."""
        return [outcome for began, outcome in self.answers if began >= moment]

    def __enter__(self):
        for _ in range(CLIENTS):
            self._pool.submit(self._ask)
        return self

    def __exit__(self, *_):
        self._ends.set()
        self._pool.shutdown()

    def _ask(self):
        while not self._ends.is_set():
            began = time.monotonic()
            try:
                answer = self.front.asked("/api/chat", HELLO)
                outcome = answer.status if answer.is_whole else "cut"
            except (AssertionError, OSError) as exc:
                outcome = repr(exc)
            self.answers.append((began, outcome))


@pytest.fixture
def shims(studio):
    studio.answers[CHAT] = streams("one", 0.01, "two")
    with ShimProcess(studio.url) as one, ShimProcess(studio.url) as two:
        yield one, two


@pytest.fixture(params=["nginx-cluster", "haproxy"])
def cluster(request, shims):
    with Front(request.param, [shim.port for shim in shims]) as front:
        yield front


def worked(shim):
    return "path=/api/chat" in shim.log


def test_when_a_shim_dies_no_request_fails_that_had_not_begun(cluster, shims, until):
    with Load(cluster) as load:
        until(lambda: len(load.answers) >= ASKED and all(map(worked, shims)))
        shims[0].kill()
        dead_at = time.monotonic()
        until(lambda: len(load.since(dead_at)) >= ASKED)
    assert set(load.since(dead_at)) == {200}
    assert sum(outcome != 200 for _, outcome in load.answers) <= CLIENTS


def test_when_a_shim_is_stopped_running_answers_end_and_new_ones_come_from_the_other(cluster, shims, until):
    with Load(cluster) as load:
        until(lambda: len(load.answers) >= ASKED and all(map(worked, shims)))
        assert shims[0].stop() == 0
        closed_at = time.monotonic()
        until(lambda: len(load.since(closed_at)) >= ASKED)
    assert set(load.since(closed_at)) == {200}
    outcomes = [outcome for _, outcome in load.answers]
    # nginx cannot tell a request that was refused from one that may have begun, and passes the refusal on.
    assert 503 not in outcomes or cluster.name == "nginx-cluster"
    # A request on a connection that is being closed cannot know that.
    assert sum(outcome not in (200, 503) for outcome in outcomes) <= CLIENTS
