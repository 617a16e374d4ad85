"""Requests that wait for a slot, behind waitress: what their clients and the operator see, and what ends the wait."""

from __future__ import annotations

import dataclasses
import json
from contextlib import ExitStack

import pytest
from support.answers import endless
from support.apps import served, several_apps
from support.fake_lmstudio import CHAT
from support.fake_lmstudio_fixtures import one_studio, studio
from support.wire import Wire

from flask_shim.config.shim_file import BackendTable, ShimFile
from flask_shim.services import build_backends, services_of

__all__ = ["one_studio", "studio"]

CHAT_BODY = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}]}
THREADS = 12
"""One generation, eight spare threads, three that wait."""


class Shim:
    """A shim with one slot and a queue; its wires are closed with the test."""

    def __init__(self, app, port, opened):
        self.parts = services_of(app)
        self.slots = self.parts.slots
        self._port = port
        self._opened = opened

    def wire(self, path="/api/chat", body=None, **more):
        wire = self._opened.enter_context(Wire(self._port))
        wire.ask(path, body, **more)
        return wire

    def chat(self, agent="editor", **more):
        return self.wire(body={**CHAT_BODY, **more}, headers={"User-Agent": agent})

    def json(self, path, **more):
        return json.loads(self.wire(path, **more).answer().body)


@pytest.fixture
def queue(one_studio, tmp_path):
    """Return a function that starts a shim whose only slot is taken, with these settings."""
    with several_apps(data_dir=tmp_path, max_streams=1, heartbeat=0.1) as app_of, ExitStack() as opened:

        def start(**settings):
            app = app_of(backend_url=one_studio.url, **{"queue_seconds": 60, "threads": THREADS, **settings})
            port = opened.enter_context(served(app, channel_request_lookahead=1, threads=THREADS))
            return Shim(app, int(port), opened)

        yield start


@pytest.fixture
def full(queue, studio):
    """A shim with a chat that does not end, and its wire."""
    studio.answers[CHAT] = endless(0.02)
    shim = queue()
    shim.running = shim.chat("agent")
    shim.running.until(b"tok ")
    return shim


def test_stream_that_waits_has_heartbeats_and_then_its_answer(full, studio, until):
    waiting = full.chat()
    waiting.until(b'"content":""')
    assert b"tok" not in waiting.received
    full.running.sock.close()
    waiting.until(b"tok ")
    until(lambda: full.slots.waiting == 0)


def test_operator_sees_the_wait_and_ends_it(full, until):
    waiting = full.chat(stream=False)
    until(lambda: full.slots.waiting)
    row = next(row for row in full.json("/shim/requests")["running"] if row["phase"] == "queued")
    assert row["queue_seconds"] >= 0
    assert full.json("/shim/status")["slots"] == {"total": 1, "in_use": 1, "waiting": 1}
    assert full.json(f"/shim/requests/{row['id']}", method="DELETE")["canceled"] is True
    assert waiting.answer().status == 499
    assert full.slots.waiting == 0


def test_wait_ends_with_the_client(full, until):
    waiting = full.chat(stream=False)
    until(lambda: full.slots.waiting)
    waiting.sock.close()
    until(lambda: not full.slots.waiting)


def test_wait_ends_when_the_shim_drains(full, until):
    waiting = full.chat(stream=False)
    until(lambda: full.slots.waiting)
    full.slots.drain()
    answer = waiting.answer()
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")


def test_full_queue_leaves_threads_for_lists_and_health(full, until):
    waiting = []
    while full.slots.waiting < 3:
        waiting.append(full.chat("agent", stream=False))
        until(lambda: full.slots.waiting == len(waiting))
    assert full.chat("agent", stream=False).answer().status == 503
    for path in ("/health", "/api/tags", "/v1/models", "/metrics"):
        assert full.wire(path).answer().status == 200
    full.chat("editor").until(b'"content":""')
    assert waiting[-1].answer().status == 503


def file_of(url, **max_streams):
    return ShimFile(
        backends=tuple(BackendTable(name=name, url=url, max_streams=most) for name, most in max_streams.items())
    )


def test_request_waits_for_a_place_at_one_of_several_lm_studios(queue, one_studio, studio, until):
    studio.answers[CHAT] = endless(0.02)
    shim = queue(max_streams=3, file=file_of(one_studio.url, desktop=1, laptop=1))
    running = [shim.chat("agent") for _ in range(2)]
    for wire in running:
        wire.until(b"tok ")
    waiting = shim.chat()
    until(lambda: shim.slots.waiting)
    running[1].close()
    waiting.until(b"tok ")


@pytest.fixture
def one_of_two_full(queue, one_studio, studio):
    """A shim with two LM Studios for one request each: ``desktop`` has one, ``laptop`` timed out a moment ago."""
    studio.answers[CHAT] = endless(0.02)
    shim = queue(max_streams=3, file=file_of(one_studio.url, desktop=1, laptop=1))
    shim.chat("agent").until(b"tok ")
    shim.parts.backends.by_name("laptop").is_suspect = True
    return shim


def list_again(parts):
    parts.backends.request_list(parts.backends.by_name("laptop"))


def allow_two(parts):
    file = file_of(parts.backends.first.client.options.base_url, desktop=2, laptop=1)
    config = dataclasses.replace(parts.config, file=file)
    parts.backends.update(build_backends(config, parts.defaults, parts.backends.watchdog))


@pytest.mark.parametrize("make_room", [list_again, allow_two])
def test_wait_ends_when_a_machine_may_take_more(one_of_two_full, make_room, until):
    waiting = one_of_two_full.chat()
    until(lambda: one_of_two_full.slots.waiting)
    make_room(one_of_two_full.parts)
    waiting.until(b"tok ")


def test_too_long_a_wait_is_rejected(queue, studio):
    studio.answers[CHAT] = endless(0.02)
    shim = queue(queue_seconds=0.1)
    shim.chat("agent").until(b"tok ")
    answer = shim.chat(stream=False).answer()
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert "no slot was free for 0.1 s" in answer.json["error"]
