"""One of two machines fails in the middle of its work: that costs its running requests, and nothing else."""

from __future__ import annotations

import threading

import pytest
from support.answers import END, event, streams
from support.backend_pool import BREAK
from support.fake_lmstudio import CHAT
from support.wine import SLOWNESS

TINY = {"tiny": 4096}
PARALLEL = 3
REQUESTS = 2 * PARALLEL

SECONDS = 1.2 * SLOWNESS
QUICK = {f"{name}_timeout": SECONDS for name in ("connect", "first_byte", "idle", "list")}
FRESH = {"max_keepalive_connections": 0}
"""A request is sent again if its pooled connection breaks at once: the other side may have been closing it."""

PHASES = {"before the head": None, "after the head": [], "after some tokens": ["tok "] * 50}
"""What a machine has sent when it fails; None: not even the head."""

OUTAGES = [(how, phase) for how in BREAK for phase in PHASES if how != "unplugged" or phase == "before the head"]
"""An open connection to an unplugged machine is as silent as to a frozen one; new ones are not accepted."""


@pytest.fixture
def pair(start_pool):
    """Two machines with the same model."""
    return start_pool({"fails": TINY, "works": TINY}, parallel=PARALLEL, **QUICK, **FRESH)


@pytest.fixture
def gate():
    """An event that ends the answers of the machine that works."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize(("how", "phase"), OUTAGES)
def test_an_outage_costs_the_requests_that_ran_there(pair, gate, until, phase, how):
    def until_the_gate_opens(peer):
        while not gate.wait(SECONDS / 30):
            peer.chunk(event("tok "))

    def until_it_fails(peer):
        reached.append(peer)
        peer.hold()

    reached, tokens = [], PHASES[phase]
    pair["fails"].answers[CHAT] = until_it_fails if tokens is None else streams(*tokens, until_it_fails)
    pair["works"].answers[CHAT] = streams("one ", until_the_gate_opens)
    chats = pair.chats(REQUESTS)
    until(lambda: len(reached) == len(pair["works"].open_at(CHAT)) == PARALLEL)
    BREAK[how](pair["fails"])
    until(lambda: sum(chat.done() for chat in chats) == PARALLEL)
    lost = [chat.result() for chat in chats if chat.done()]
    gate.set()
    assert all(len(chat.errors) == 1 and chat.lines[-1]["error"] == chat.errors[0] for chat in lost)
    assert all("".join(tokens or "").startswith(chat.text) for chat in lost)
    assert sum(chat.result().is_whole for chat in chats) == PARALLEL
    assert all(chat.result().is_whole for chat in pair.chats(REQUESTS))
    assert pair.chats_at()["fails"] == PARALLEL


@pytest.mark.parametrize("how", BREAK)
def test_an_outage_after_the_end_mark_costs_nothing(pair, until, how):
    has_failed = threading.Event()

    def fail(_):
        if not has_failed.is_set():
            has_failed.set()
            threading.Thread(target=BREAK[how], args=(pair["fails"],)).start()

    pair["fails"].answers[CHAT] = streams("one ", END, fail, lambda peer: peer.hold(), ends=False)
    [alone] = pair.chats(1)
    assert alone.result().is_whole
    assert has_failed.is_set()


@pytest.mark.parametrize("how", [how for how in BREAK if how != "frozen"])
def test_a_request_that_did_not_arrive_is_answered_elsewhere(pair, how):
    pair.names()
    BREAK[how](pair["fails"])
    results = [chat.result() for chat in pair.chats(REQUESTS)]
    assert [r for r in results if not r.is_whole] == []
    assert pair.chats_at() == {"fails": 0, "works": REQUESTS}
