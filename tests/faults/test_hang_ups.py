"""Clients that leave, in every phase of their requests: LM Studio is hung up within a second, and nothing is left."""

from __future__ import annotations

import time

import pytest
from support.answers import END, endless, event, silent, streams
from support.checked_shim import PROMPT, chat
from support.fake_lmstudio import CHAT, COLD, DOWNLOAD, EMBEDDER, LOAD, UNLOAD
from support.resources import resources_of
from support.wire import Wire, request

PROMISED_SECONDS = 1.0

EMBED = {"model": EMBEDDER, "input": PROMPT}
OPENAI = chat(stream=True)
LEAVE = {"closes": Wire.close, "resets": Wire.reset, "half-closes": Wire.half_close}


def hung_up(studio, path, at):
    """Wait until LM Studio has noticed; fail if that took longer than promised."""
    (peer,) = studio.at(path)
    studio.until(lambda: peer.closed_at)
    assert peer.closed_at - at < PROMISED_SECONDS


@pytest.mark.parametrize("leave", LEAVE.values(), ids=LEAVE.keys())
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/chat", chat()),
        ("/api/generate", {"model": "tiny", "prompt": PROMPT}),
        ("/v1/chat/completions", OPENAI),
    ],
)
def test_disconnect_in_a_stream_aborts_the_request_to_lm_studio(patient, studio, leave, path, body):
    studio.answers[CHAT] = endless(0.05)
    with patient.wire(path, body) as wire:
        wire.until(b"tok ")
        leave(wire)
        hung_up(studio, CHAT, time.monotonic())
    assert patient.end_of(path).items() >= {"level": "INFO", "outcome": "client_disconnected"}.items()


@pytest.mark.parametrize("leave", [Wire.close, Wire.reset], ids=["closes", "resets"])
@pytest.mark.parametrize("ahead", [1, 3])
def test_pipelined_requests_are_aborted_by_a_disconnect(patient, studio, leave, ahead):
    studio.answers[CHAT] = silent
    with Wire(patient.port) as wire:
        wire.send(request("/api/chat", chat(stream=False)) + request("/health") * ahead)
        studio.until(lambda: studio.open_at(CHAT))
        leave(wire)
        hung_up(studio, CHAT, time.monotonic())


SILENCES = {
    "before a word": ("/api/chat", chat(), CHAT, silent),
    "between two words": ("/api/chat", chat(), CHAT, streams("one", lambda peer: peer.hold())),
    "before one object": ("/api/chat", chat(stream=False), CHAT, silent),
    "in one object": ("/api/chat", chat(stream=False), CHAT, streams("one", lambda peer: peer.hold())),
    "while a model is loaded on demand": ("/api/chat", chat(model=COLD), CHAT, silent),
    "while a model is loaded outright": ("/api/chat", {"model": COLD, "messages": []}, LOAD, silent),
    "while a model is reloaded": ("/api/chat", chat(model=COLD, options={"num_ctx": 8192}), LOAD, silent),
    "before a passed-on word": ("/v1/chat/completions", OPENAI, CHAT, silent),
    "in a passed-on object": ("/v1/chat/completions", chat(), CHAT, silent),
    "while a load is passed on": ("/api/v1/models/load", {"model": COLD}, LOAD, silent),
    "before vectors": ("/api/embed", EMBED, "/v1/embeddings", silent),
    "before passed-on vectors": ("/v1/embeddings", EMBED, "/v1/embeddings", silent),
    "before a passed-on list": ("/v1/models", None, "/v1/models", silent),
    "before a passed-on response": (
        "/v1/responses",
        {"model": "tiny", "input": PROMPT, "store": True},
        "/v1/responses",
        silent,
    ),
    "before tokens are counted": ("/v1/messages/count_tokens", chat(), CHAT, silent),
    "in the service's chat": ("/chat/stream", {**chat(), "model_key": "tiny"}, CHAT, silent),
    "while the service loads": ("/models/load", {"model_key": COLD}, LOAD, silent),
    "while the service unloads": ("/models/unload", {"model_key": "tiny"}, UNLOAD, silent),
    "while the service unloads all": ("/models/unload", {"unload_all": True}, UNLOAD, silent),
    "while a model is unloaded": ("/api/generate", {"model": "tiny", "keep_alive": 0}, UNLOAD, silent),
    "while an unload is passed on": (UNLOAD, {"instance_id": "tiny"}, UNLOAD, silent),
    "before a download begins": ("/api/pull", {"model": "some/new"}, DOWNLOAD, silent),
    "while a download is asked after": ("/api/pull", {"model": "some/new"}, f"{DOWNLOAD}/status/job_1", silent),
}


@pytest.mark.parametrize(("path", "body", "backend_path", "answer"), SILENCES.values(), ids=SILENCES.keys())
def test_disconnect_in_a_silence_aborts_the_request_to_lm_studio(patient, studio, path, body, backend_path, answer):
    studio.answers[backend_path] = answer
    with patient.wire(path, body):
        studio.until(lambda: studio.open_at(backend_path))
    hung_up(studio, backend_path, time.monotonic())
    assert patient.end_of(path)["outcome"] == "client_disconnected"


def test_disconnect_with_unread_text_aborts_the_request(patient, studio):
    studio.answers[CHAT] = streams(*["tok " * 1000] * 20, lambda peer: peer.hold())
    with Wire(patient.port, receive_bytes=4096) as wire:
        wire.ask("/api/chat", chat())
        studio.until(lambda: studio.open_at(CHAT))
        wire.until(b"tok ")
    hung_up(studio, CHAT, time.monotonic())


def test_a_disconnect_during_anothers_load_sends_nothing(patient, studio, until):
    loading = {"model": COLD, "messages": []}
    studio.answers[LOAD] = silent
    with patient.wire("/api/chat", loading):
        studio.until(lambda: studio.open_at(LOAD))
        with patient.wire("/api/generate", {"model": COLD, "prompt": PROMPT}):
            until(lambda: resources_of(patient.shim).slots == 2)
        assert patient.end_of("/api/generate")["outcome"] == "client_disconnected"
    assert studio.asked_for(CHAT) == []


def test_disconnect_at_the_end_of_a_stream_leaves_nothing(patient, studio):
    for _ in range(20):
        studio.answers[CHAT] = streams("one", event("two") + END, ends=False)
        with patient.wire("/api/chat", chat()) as wire:
            wire.until(b"one")
            wire.reset()
