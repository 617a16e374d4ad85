"""Which program answers at an address."""

from __future__ import annotations

import socket

import pytest
from support.answers import by_path, reads, replies
from support.peer import Peer

from flask_shim.serving import port_probe
from flask_shim.serving.port_probe import identify_server

ROOT = replies("Ollama is running", content_type="text/plain")
OK = replies({"status": "ok"})
NO_KEY = replies({"error": "unauthorized"}, "401 Unauthorized", www_authenticate="Bearer")

OLLAMA = by_path({"/": ROOT, "/api/version": replies({"version": "0.12.6"})})
OLLAMA_WITHOUT_VERSION = by_path({"/": ROOT})
SHIM = by_path({"/": ROOT, "/api/version": replies({"version": "0.40.12"}), "/health": OK})
SHIM_WITH_KEY = by_path({"/": NO_KEY, "/api/version": NO_KEY, "/health": OK})
LLAMA_CPP = by_path({"/": replies("<html>", content_type="text/html"), "/health": OK})
REDIRECTING = by_path({"/": replies("", "302 Found", location="http://192.0.2.1/")})


@pytest.mark.parametrize(
    ("script", "name"),
    [
        (OLLAMA, "Ollama 0.12.6"),
        (OLLAMA_WITHOUT_VERSION, "Ollama"),
        (SHIM, "another flask-shim"),
        (SHIM_WITH_KEY, "another flask-shim"),
        (LLAMA_CPP, "another program"),
        (REDIRECTING, "another program"),
        (reads(lambda peer: peer.send(b"\x00\xff not HTTP")), "another program"),
        (reads(lambda peer: None), "another program"),
        (Peer.reset, "another program"),
    ],
)
def test_program_is_named_by_what_it_answers(socket_server, script, name):
    server = socket_server(script)
    assert identify_server("127.0.0.1", server.port) == name


def test_silent_program_is_not_awaited(socket_server, monkeypatch):
    monkeypatch.setattr(port_probe, "ANSWER_SECONDS", 0.1)
    server = socket_server(Peer.hold)
    assert identify_server("127.0.0.1", server.port) == "another program"
    server.until(lambda: server.gone)


def test_no_listener_is_none():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert identify_server("127.0.0.1", port) is None
