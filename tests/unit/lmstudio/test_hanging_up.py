"""A backend that is too slow, or whose client has left, is hung up; every connection is given back."""

from __future__ import annotations

import threading

import pytest
from support.answers import reads, replies
from support.ports import unused_port
from support.transport_requests import CHAT, get_list, post

from flask_shim.lmstudio import BackendCall
from flask_shim.lmstudio.errors import (
    BackendError,
    BackendTimeout,
    BackendUnavailable,
    ClientDisconnected,
    ServerBusy,
)


def silent(peer):
    peer.hold()


def dripping(peer):
    peer.drip(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + b"X-A: b\r\n" * 1000, 0.01)


def silent_after_the_head(peer):
    peer.head(content_type="application/json", transfer_encoding="chunked")
    peer.chunk(b"{")
    peer.hold()


@pytest.mark.parametrize("answer", [silent, dripping, silent_after_the_head])
def test_a_backend_that_is_too_slow_is_hung_up(client_of, socket_server, answer):
    server = socket_server(reads(answer))
    with pytest.raises(BackendTimeout, match=r"did not answer GET /api/v1/models within 0.1 s"):
        get_list(client_of(server.url), timeout=0.1)
    server.until(lambda: server.gone)


@pytest.mark.parametrize("answer", [silent, dripping])
def test_disconnect_before_the_head_aborts_the_backend_request(client_of, socket_server, answer):
    server = socket_server(reads(answer))
    client = client_of(server.url)
    call = BackendCall(lambda: bool(server.asked))
    with client.watchdog.watch(call), pytest.raises(ClientDisconnected):
        post(client, call)
    server.until(lambda: server.gone, seconds=1)


@pytest.mark.parametrize("framing", ["chunked", "until closed", "measured"])
def test_disconnect_within_a_body_aborts_the_backend_request(client_of, socket_server, framing):
    headers = {"chunked": {"transfer_encoding": "chunked"}, "until closed": {}, "measured": {"content_length": 100}}

    def answer(peer):
        peer.head(content_type="text/event-stream", **headers[framing])
        (peer.chunk if framing == "chunked" else peer.send)(b"data")
        peer.hold()

    server = socket_server(reads(answer))
    client = client_of(server.url)
    gone = threading.Event()
    call = BackendCall(gone.is_set)
    with client.watchdog.watch(call), post(client, call) as answer:
        assert answer.read() == b"data"
        gone.set()
        with pytest.raises(ClientDisconnected):
            answer.read()
    server.until(lambda: server.gone, seconds=1)


def test_a_client_that_disconnected_before_sends_nothing(client_of, socket_server):
    server = socket_server(reads(replies({})))
    with pytest.raises(ClientDisconnected):
        post(client_of(server.url), BackendCall(lambda: True))
    assert server.connections == 0


def test_closing_an_answer_early_aborts_the_backend_request(client_of, socket_server):
    server = socket_server(reads(silent_after_the_head))
    post(client_of(server.url)).close()
    server.until(lambda: server.gone, seconds=1)


def test_closing_twice_does_no_harm(client_of, socket_server):
    answer = post(client_of(socket_server(reads(replies({}))).url))
    answer.close()
    answer.close()


def test_connections_have_a_limit_and_are_given_back(client_of, socket_server):
    server = socket_server(reads(silent_after_the_head))
    client = client_of(server.url, max_connections=2, connect_timeout=0.05)
    first, second = post(client), post(client)
    with pytest.raises(ServerBusy, match="all 2 connections to LM Studio are in use"):
        post(client)
    first.close()
    first.close()
    third = post(client)
    with pytest.raises(ServerBusy):
        post(client)
    second.close()
    third.close()


@pytest.mark.parametrize(
    "answer", [lambda peer: peer.reset(), replies("", "500 X"), replies("<html>"), replies("", content_encoding="br")]
)
def test_a_connection_is_given_back_after_every_failure(client_of, socket_server, answer):
    server = socket_server(reads(answer))
    client = client_of(server.url, max_connections=1, connect_timeout=0.05)
    for _ in range(3):
        with pytest.raises(BackendError) as caught:
            get_list(client)
        assert not isinstance(caught.value, BackendUnavailable)


def test_a_lost_backend_leaves_its_connection_to_others(client_of):
    client = client_of(f"http://127.0.0.1:{unused_port()}", max_connections=1, connect_timeout=0.5)
    for _ in range(3):
        with pytest.raises(BackendUnavailable):
            post(client)


def test_a_request_that_cannot_be_sent_leaves_its_connection_to_others(client_of, socket_server):
    client = client_of(socket_server(reads(replies({}))).url, max_connections=1, connect_timeout=0.05)
    with pytest.raises(ValueError, match="a header contains a line end"):
        client.open("POST", CHAT, BackendCall(headers={"X-Odd": "a\nb"}), b"{}")
    post(client).close()
