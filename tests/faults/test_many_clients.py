"""Many clients at once, with the default settings: each gets its answer or a quick refusal, and memory stays small."""

from __future__ import annotations

import logging
import statistics
import sys
import time
from contextlib import ExitStack

import pytest
from support.answers import endless, streams
from support.checked_shim import PROMPT, chat, check_log
from support.fake_lmstudio import CHAT
from support.processes import ShimProcess
from support.resources import Resources, memory_of, resources_of, wait_until_released
from support.wine import not_on_wine
from support.wire import Wire

log = logging.getLogger(__name__)
"""Tells the figures: --log-cli-level=INFO shows them."""

CALLS = 40
GENEROUS_SECONDS = 0.3
"""Six times what is promised: others may be using this machine, too."""

MEGABYTE = 1_000_000
MOST_BYTES = 150 * MEGABYTE
SETTLE_SECONDS = 10.0

NOTHING = Resources(0, 0, 0, sys.maxsize, sys.maxsize)


@pytest.fixture
def descriptors():
    """Let this process have as many sockets as the test needs."""
    if sys.platform == "win32":
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def started(studio):
    """Return a function that starts a shim, and look at it when it is over."""
    with ExitStack() as running:

        def start(**env):
            shim = running.enter_context(ShimProcess(studio.url, **env))
            running.callback(lambda: check_log(shim.log))
            return shim

        yield start


def streaming(shim, count, opened):
    """Open so many streams and wait until each has said its first word."""
    wires = [opened.enter_context(Wire(shim.port)) for _ in range(count)]
    for wire in wires:
        wire.ask("/api/chat", chat())
    for wire in wires:
        wire.until(b"tok ")
    return wires


def median_seconds(shim, path):
    seconds = []
    for _ in range(CALLS):
        started = time.perf_counter()
        assert shim.get(path).status_code == 200
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def test_health_and_lists_are_fast_beside_64_slow_streams(studio, started):
    studio.answers[CHAT] = endless(0.1)
    shim = started()
    with ExitStack() as opened:
        streaming(shim, 64, opened)
        for path in ("/health", "/api/tags", "/api/version", "/api/ps"):
            median = median_seconds(shim, path)
            log.info("beside 64 streams: path=%s median_ms=%.1f", path, median * 1000)
            assert median < GENEROUS_SECONDS, path
        assert resources_of(shim).slots == 64
    assert wait_until_released(shim, NOTHING, SETTLE_SECONDS).fits(NOTHING)


def test_each_of_300_clients_at_once_gets_its_answer_or_is_refused(studio, started):
    studio.answers[CHAT] = streams("one ", 0.2, "two")
    shim = started()
    with ExitStack() as opened:
        wires = [opened.enter_context(Wire(shim.port)) for _ in range(300)]
        for wire in wires:
            wire.ask("/api/chat", chat())
        answers = [wire.answer() for wire in wires]
    served = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status == 503]
    log.info("of 300 clients at once: served=%d refused=%d", len(served), len(refused))
    assert len(served) + len(refused) == 300
    assert len(served) >= 64
    assert all("".join(line["message"]["content"] for line in answer.lines) == "one two" for answer in served)
    assert all(answer.lines[-1]["done"] is True for answer in served)
    assert all("server busy" in answer.json["error"] for answer in refused)
    assert len(studio.asked_for(CHAT)) == len(served)
    assert wait_until_released(shim, NOTHING, SETTLE_SECONDS).fits(NOTHING)


def test_text_of_one_client_never_reaches_another(studio, started):
    def echo(peer):
        text = str(peer.asked[-1].json["messages"][-1]["content"])
        streams(*[step for _ in range(5) for step in (text, 0.02)])(peer)

    studio.answers[CHAT] = echo
    shim = started()
    with ExitStack() as opened:
        wires = [opened.enter_context(Wire(shim.port)) for _ in range(64)]
        for number, wire in enumerate(wires):
            wire.ask("/api/chat", chat(messages=[{"role": "user", "content": f"<{number}>{PROMPT}"}]))
        for number, wire in enumerate(wires):
            text = "".join(line["message"]["content"] for line in wire.answer().lines)
            assert text == f"<{number}>{PROMPT}" * 5


@not_on_wine("its server needs a minute for the sockets of 490 streams, longer than the shim waits for one")
@pytest.mark.usefixtures("descriptors")
def test_500_open_streams_take_little_memory(studio, started):
    studio.answers[CHAT] = endless(1.0)
    shim = started(SHIM_MAX_STREAMS="500")
    assert shim.chat().status_code == 200
    with ExitStack() as opened:
        # The limit of 500 on Windows counts waitress' own two sockets.
        streaming(shim, 490 if sys.platform == "win32" else 499, opened)
        memory = memory_of(shim)
        log.info("500 streams: MB=%.0f", memory / MEGABYTE)
        assert memory < MOST_BYTES
        assert median_seconds(shim, "/health") < GENEROUS_SECONDS
    shim.session.close()
    assert wait_until_released(shim, NOTHING, SETTLE_SECONDS).fits(NOTHING)
