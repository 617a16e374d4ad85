"""Several shims behind one front proxy, of which one dies, is full, or all are restarted while they are at work."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from http.client import HTTPException
from itertools import cycle, islice, product
from shutil import which

import pytest
from support.answers import endless, streams
from support.fake_lmstudio import CHAT
from support.front_proxies import FrontProxy
from support.processes import ShimProcess

from flask_shim.deploy.rendering import CLUSTERS

pytestmark = pytest.mark.skipif(not (which("haproxy") and which("nginx")), reason="HAProxy and nginx are not installed")

CLIENTS = 6
ASKED = 40
"""Requests before one shim goes, and again after."""

KEY = "secret"
HELLO = {"model": "tiny", "messages": [{"role": "user", "content": "Hello"}]}
LONG = {"model": "tiny", "messages": [{"role": "user", "content": "x" * 100_000}]}
"""An agent's prompt: more than a proxy keeps by default."""

REQUESTS = {
    "stream": ("/api/chat", HELLO),
    "whole": ("/api/chat", LONG | {"stream": False}),
    "events": ("/v1/chat/completions", LONG | {"stream": True}),
    "list": ("/api/tags", None),
}
ENDS = {"stream": b'"done":true', "whole": b'"done":true', "events": b"data: [DONE]\n\n", "list": b'"tiny:latest"'}

QUICK = {
    "haproxy": {"inter 1s fastinter 250ms": "inter 200ms fastinter 100ms", "slowstart 5s": "slowstart 1s"},
    "nginx-cluster": {"fail_timeout=3s": "fail_timeout=1s"},
}
QUICK_DELAY = 2.0
"""More than a quick proxy needs to see that a shim stops, or that one is back."""


class Load:
    """Clients that keep their connection and ask one thing after the other; a context manager.

    ``answers`` is when each began and its outcome: the status, or what went wrong.
    """

    def __init__(self, front, clients=CLIENTS, requests=tuple(REQUESTS)):
        self.front, self.requests, self.clients = front, requests, clients
        self.answers = []
        self._ends = threading.Event()
        self._pool = ThreadPoolExecutor(clients)

    @property
    def outcomes(self):
        """What all of them came to."""
        return [outcome for _, outcome in self.answers]

    def since(self, moment):
        """Return the outcomes of what began then or later."""
        return [outcome for began, outcome in self.answers if began >= moment]

    def __enter__(self):
        for number in range(self.clients):
            self._pool.submit(self._ask, islice(cycle(self.requests), number, None))
        return self

    def __exit__(self, *_):
        self._ends.set()
        self._pool.shutdown()

    def _ask(self, kinds):
        connection = self.front.kept()
        while not self._ends.is_set():
            kind, began = next(kinds), time.monotonic()
            try:
                outcome = ask(connection, kind)
            except (HTTPException, OSError) as exc:
                connection.close()
                outcome = f"{kind}: {exc!r}"
            self.answers.append((began, outcome))
        connection.close()


def ask(connection, kind):
    path, body = REQUESTS[kind]
    payload = None if body is None else json.dumps(body)
    connection.request("POST" if body else "GET", path, payload, {"Authorization": f"Bearer {KEY}"})
    answer = connection.getresponse()
    text = answer.read()
    return answer.status if answer.status != 200 or ENDS[kind] in text else f"{kind}: cut after {text[-100:]!r}"


@pytest.fixture
def start(studio):
    """Give a function that starts a shim with the studio, a key and settings of its own."""
    studio.answers[CHAT] = streams("one", 0.1, "two", 0.1, "three")
    with ExitStack() as started:

        def start(**settings):
            shim = ShimProcess(studio.url, SHIM_API_KEY=KEY, **settings)
            started.callback(shim.kill)  # without the drain, which no test waits for
            return shim

        yield start


def worked(shim):
    return "path=/api/chat" in shim.log


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_killed_shim_fails_no_request_that_had_not_begun(name, start, until):
    shims = [start(), start()]
    with FrontProxy(name, [shim.port for shim in shims]) as front, Load(front) as load:
        until(lambda: len(load.answers) >= ASKED and all(map(worked, shims)))
        shims[0].kill()
        dead_at = time.monotonic()
        until(lambda: len(load.since(dead_at)) >= ASKED)
    assert set(load.since(dead_at)) == {200}
    assert sum(outcome != 200 for outcome in load.outcomes) <= CLIENTS


def test_full_shim_costs_no_request_and_does_not_attract_them(start, studio):
    full, *others = start(SHIM_MAX_STREAMS="1"), start(), start()
    studio.answers[CHAT] = endless()
    with full.post("/api/chat", HELLO, headers={"Authorization": f"Bearer {KEY}"}, stream=True) as response:
        lines = response.iter_lines()  # kept: the connection is closed when it is collected
        next(lines)
        studio.answers[CHAT] = streams("one")
        for name in CLUSTERS:
            refused = full.log.count("status=503")
            with (
                FrontProxy(name, [full.port, *(shim.port for shim in others)]) as front,
                closing(front.kept()) as connection,
            ):
                outcomes = [ask(connection, kind) for kind in ("stream", "whole", "events") * 20]
            assert (name, set(outcomes)) == (name, {200})
            # By the fewest connections each would go there first. HAProxy draws two, nginx skips it for a while.
            assert full.log.count("status=503") - refused < len(outcomes) * 0.8


def test_rolling_restart_fails_no_request(start, until):
    """Each front proxy has its own clients: one that asks one thing after the other, or several at the same time."""
    settings = {"SHIM_DRAIN_DELAY": str(QUICK_DELAY)}
    shims = [start(**settings) for _ in range(3)]
    with ExitStack() as running:
        loads = []
        for name, clients in product(CLUSTERS, (1, CLIENTS)):
            front = running.enter_context(FrontProxy(name, [shim.port for shim in shims], QUICK[name]))
            loads.append(running.enter_context(Load(front, clients)))
        for shim in shims:
            until(lambda shim=shim: worked(shim))
            assert shim.stop() == 0
            again = start(**settings, SHIM_PORT=str(shim.port))
        until(lambda: worked(again))
    assert [set(load.outcomes) for load in loads] == [{200}] * len(loads)
