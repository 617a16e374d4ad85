"""Requests that the operator stops: the client gets one error, and LM Studio is disconnected within a second."""

from __future__ import annotations

import time

import pytest
from support.answers import endless, silent, streams
from support.checked_shim import PROMPT, chat
from support.fake_lmstudio import CHAT, COLD, LOAD
from support.wire import Wire

PROMISED_SECONDS = 1.0
STOPPED = b"the request was stopped by the operator of this server"

OPENAI = chat(stream=True)
PHASES = {
    "generating": ("/api/chat", chat(), CHAT, endless(0.05), "generating"),
    "generating, forwarded": ("/v1/chat/completions", OPENAI, CHAT, endless(0.05), "generating"),
    "generating a whole answer": (
        "/api/chat",
        chat(stream=False),
        CHAT,
        streams("one", lambda peer: peer.hold()),
        "generating",
    ),
    "reading the prompt": ("/api/generate", {"model": "tiny", "prompt": PROMPT}, CHAT, silent, "reading the prompt"),
    "reading a forwarded prompt": ("/v1/chat/completions", OPENAI, CHAT, silent, "reading the prompt"),
    "loading on demand": ("/api/chat", chat(model=COLD), CHAT, silent, "loading"),
    "loading": ("/api/chat", {"model": COLD, "messages": []}, LOAD, silent, "loading"),
    "loading for a context": ("/api/chat", chat(model=COLD, options={"num_ctx": 8192}), LOAD, silent, "loading"),
}


def running(shim):
    return shim.ask("/shim/requests").json["running"]


@pytest.mark.parametrize(("path", "body", "backend_path", "answer", "phase"), PHASES.values(), ids=PHASES.keys())
def test_a_request_is_stopped_in_every_phase(patient, studio, until, path, body, backend_path, answer, phase):
    studio.answers[backend_path] = answer
    with patient.wire(path, body) as wire:
        studio.until(lambda: studio.open_at(backend_path))
        until(lambda: running(patient)[0]["phase"] == phase)
        (row,) = running(patient)
        assert row["route"] == path
        stopped_at = time.monotonic()
        assert patient.ask(f"/shim/requests/{row['id']}", method="DELETE").json["canceled"] is True
        (peer,) = studio.at(backend_path)
        studio.until(lambda: peer.closed_at)
        assert peer.closed_at - stopped_at < PROMISED_SECONDS
        assert wire.answer().body.count(STOPPED) == 1
    assert patient.end_of(path)["outcome"] == "canceled"
    ended = patient.ask("/shim/requests").json["ended"][0]
    assert (ended["id"], ended["outcome"]) == (row["id"], "canceled")


def test_a_request_that_waits_for_anothers_load_is_stopped(patient, studio, until):
    studio.answers[LOAD] = silent
    with (
        patient.wire("/api/chat", {"model": COLD, "messages": []}),
        Wire(patient.port) as waiting,
    ):
        studio.until(lambda: studio.open_at(LOAD))
        waiting.ask("/api/chat", chat(model=COLD), headers={"X-Request-ID": "waiting"})
        until(lambda: [row["phase"] for row in running(patient) if row["id"] == "waiting"] == ["queued"])
        patient.ask("/shim/requests/waiting", method="DELETE")
        answer = waiting.answer()
        assert answer.status == 499
        assert STOPPED in answer.body
    assert studio.asked_for(CHAT) == []


def test_an_unknown_request_cannot_be_stopped(patient):
    assert patient.ask("/shim/requests/none", method="DELETE").status == 404
