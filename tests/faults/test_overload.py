"""More work than there is room for: refused at once, and everything else is answered as if nothing were."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest
from support.answers import endless, silent
from support.checked_shim import PROMPT, STREAMS, chat
from support.fake_lmstudio import CHAT, COLD, DOWNLOAD, EMBEDDER, LOAD, UNLOAD
from support.processes import ShimProcess
from support.resources import resources_of
from support.wire import Wire, send_request

BUSY = "server busy, please try again.  maximum pending requests exceeded"
SOON = 1.0
LISTS = ("/api/v1/models", "/api/v0/models", "/v1/models")


@pytest.fixture
def full(patient, studio):
    """A shim all of whose slots are taken by streams, which end with the test."""
    studio.answers[CHAT] = endless(0.02)
    with ExitStack() as opened:
        for _ in range(STREAMS):
            opened.enter_context(patient.wire("/api/chat", chat())).until(b"tok ")
        yield patient


WORK = {
    "a chat": ("/api/chat", chat()),
    "a prompt": ("/api/generate", {"model": "tiny", "prompt": PROMPT}),
    "a load": ("/api/chat", {"model": COLD, "messages": []}),
    "an unload": ("/api/generate", {"model": "tiny", "keep_alive": 0}),
    "vectors": ("/api/embed", {"model": EMBEDDER, "input": PROMPT}),
    "a passed-on chat": ("/v1/chat/completions", chat(stream=True)),
    "a response": ("/v1/responses", {"model": "tiny", "input": PROMPT}),
    "a message": ("/v1/messages", {"model": "tiny", "max_tokens": 5, "messages": chat()["messages"]}),
    "passed-on vectors": ("/v1/embeddings", {"model": EMBEDDER, "input": PROMPT}),
    "a passed-on load": (LOAD, {"model": COLD}),
    "a passed-on unload": (UNLOAD, {"instance_id": "tiny"}),
    "a passed-on download": (DOWNLOAD, {"model": "some/new"}),
    "a service's chat": ("/chat", chat(model_key="tiny")),
    "a service's load": ("/models/load", {"model_key": COLD}),
    "a service's unload": ("/models/unload", {"model_key": "tiny"}),
}


def test_work_beyond_the_slots_is_refused_at_once_whatever_it_is(full, studio):
    asked_before = len(studio.asked)
    for name, (path, body) in WORK.items():
        started = time.monotonic()
        answer = full.ask(path, body)
        assert (name, answer.status) == (name, 503)
        assert BUSY in answer.body.decode()
        assert int(answer.headers["retry-after"]) >= 1
        assert time.monotonic() - started < SOON
        facts = full.end_of(path, nth=1 + len([one for one in WORK if one < name and WORK[one][0] == path]))
        assert facts["level"] == "WARNING"
    assert all(asked.method == "GET" for asked in studio.asked[asked_before:])


@pytest.mark.parametrize(
    "path", ["/", "/health", "/ready", "/metrics", "/api/version", "/api/tags", "/api/ps", "/v1/models", "/models"]
)
def test_everything_else_is_answered_while_all_slots_are_taken(full, path):
    started = time.monotonic()
    for _ in range(10):
        assert full.ask(path).status == 200
    assert time.monotonic() - started < 10 * SOON


def test_slot_that_is_free_again_is_given_to_the_next(patient, studio, until):
    studio.answers[CHAT] = endless(0.02)
    with ExitStack() as opened:
        wires = [opened.enter_context(patient.wire("/api/chat", chat())) for _ in range(STREAMS)]
        for wire in wires:
            wire.until(b"tok ")
        assert patient.ask("/api/chat", chat()).status == 503
        wires[0].close()
        until(lambda: resources_of(patient.shim).slots == STREAMS - 1)
        opened.enter_context(patient.wire("/api/chat", chat())).until(b"tok ")


@pytest.mark.parametrize("path", ["/api/tags", "/api/chat", "/v1/models", "/api/show"])
def test_health_answers_while_all_wait_for_a_silent_backend(patient, studio, path):
    """Lists take no slot; so only some may wait for one that does not come, or no thread would be left."""
    studio.answers = dict.fromkeys(LISTS, silent)
    body = {"/api/chat": chat(), "/api/show": {"model": "tiny"}}.get(path)
    with ExitStack() as opened:
        for _ in range(40):
            opened.enter_context(Wire(patient.port)).ask(path, body)
        studio.until(lambda: any(studio.open_at(one) for one in LISTS))
        time.sleep(1.2)  # so long everybody may wait
        started = time.monotonic()
        for _ in range(10):
            assert patient.ask("/health").status == 200
        assert time.monotonic() - started < 2 * SOON
    studio.answers.clear()
    studio.kill()
    studio.back()


def test_many_lists_at_once_cost_the_backend_one(studio):
    with ShimProcess(studio.url) as shim:
        shim.until("backend ")  # the start asks for it too
        studio.calm()
        wires = [Wire(shim.port) for _ in range(16)]
        for wire in wires:
            wire.ask("/api/tags")
        for wire in wires:
            with wire:
                assert wire.answer().status == 200
        assert len(studio.asked_for("/api/v1/models")) <= 1


def test_connections_beyond_the_limit_to_the_backend_are_refused(studio):
    with ShimProcess(studio.url, SHIM_MAX_CONNECTIONS="2", SHIM_MAX_STREAMS="2", SHIM_CONNECT_TIMEOUT="0.3") as shim:
        studio.answers[CHAT] = endless(0.02)
        with Wire(shim.port) as first, Wire(shim.port) as second:
            for wire in (first, second):
                wire.ask("/api/chat", chat())
                wire.until(b"tok ")
            assert send_request(shim.port, "/api/chat", chat()).status == 503
            assert send_request(shim.port, "/health").status == 200
