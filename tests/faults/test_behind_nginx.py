"""What is promised behind nginx with the shipped configuration, as far as the tests of front proxies leave it open."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest
from support.answers import endless, silent, streams
from support.checked_shim import chat
from support.fake_lmstudio import CHAT, COLD, LOAD
from support.front_proxies import FrontProxy
from support.resources import files_of
from support.wire import Wire

PROMISED_SECONDS = 1.0


@pytest.fixture
def nginx(patient):
    with FrontProxy("nginx", [patient.port]) as front:
        yield front


PHASES = {
    "in a stream": (chat(), CHAT, endless(0.05)),
    "in a silent stream": (chat(), CHAT, streams("one", lambda peer: peer.hold())),
    "before a word": (chat(), CHAT, silent),
    "before one object": (chat(stream=False), CHAT, silent),
    "while a model loads": ({"model": COLD, "messages": []}, LOAD, silent),
}


@pytest.mark.parametrize(("body", "path", "answer"), PHASES.values(), ids=PHASES.keys())
def test_disconnect_behind_nginx_aborts_the_request_to_lm_studio(patient, nginx, studio, body, path, answer):
    studio.answers[path] = answer
    with nginx.wire("/api/chat", body):
        studio.until(lambda: studio.open_at(path))
    left_at = time.monotonic()
    (peer,) = studio.at(path)
    studio.until(lambda: peer.closed_at)
    assert peer.closed_at - left_at < PROMISED_SECONDS
    assert patient.end_of("/api/chat")["outcome"] == "client_disconnected"


def test_dripping_clients_stay_with_nginx(patient, nginx):
    """Heads that never end cost the shim itself a connection each; behind nginx they cost nothing."""
    before = files_of(patient.shim)
    with ExitStack() as opened:
        wires = [opened.enter_context(Wire(nginx.port)) for _ in range(110)]
        for wire in wires:
            wire.send(b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
        for _ in range(3):
            for wire in wires:
                wire.send(b" ")
            assert nginx.ask("/health").status == 200
        assert files_of(patient.shim) <= before + 10  # what nginx keeps open for the next requests


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 4\r\nContent-Length: 5\r\n",
        b"X : y\r\n",
    ],
)
def test_ambiguous_request_never_gets_past_nginx(patient, nginx, head):
    with Wire(nginx.port) as wire:
        wire.send(b"POST /api/show HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n0\r\n\r\nGET /api/ps HTTP/1.1\r\n")
        wire.send(b"Host: localhost\r\nConnection: close\r\n\r\n")
        raw = wire.rest()
    assert raw.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 404 "))
    assert raw.count(b"HTTP/1.1 ") == 1
    assert "path=/api/ps" not in patient.log
