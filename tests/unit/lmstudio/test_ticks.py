"""The thread of a call ticks while it waits for the backend, and loses nothing that arrives."""

from __future__ import annotations

import threading

import pytest
from support.answers import END, by_path, event, reads, replies, streams
from support.transport_requests import post, read_body

from flask_shim.lmstudio import BackendCall
from flask_shim.lmstudio.client import CHAT
from flask_shim.lmstudio.errors import ClientDisconnected
from flask_shim.lmstudio.http.cancellation import Ticks
from flask_shim.models.keep_alive import LoadedModel

SECONDS = 0.01


class Counter:
    """A callback that opens a gate at its third call."""

    def __init__(self):
        self.calls = 0
        self.gate = threading.Event()

    def __call__(self, *_):
        self.calls += 1
        if self.calls == 3:
            self.gate.set()

    def wait(self, _):
        assert self.gate.wait(10)


@pytest.mark.parametrize("where", ["before the head", "within the head", "before the body"])
def test_callback_is_called_while_a_response_begins(client_of, socket_server, where):
    counter = Counter()

    def answer(peer):
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        before = {"before the head": 0, "within the head": 20, "before the body": len(head)}[where]
        peer.send(head[:before])
        counter.wait(peer)
        peer.send(head[before:])
        peer.chunk(b"data")
        peer.chunk(b"")

    call = BackendCall(ticks=Ticks(SECONDS, counter))
    with post(client_of(socket_server(reads(answer)).url), call) as response:
        assert response.read_all(0) == b"data"
    assert counter.calls >= 3


@pytest.mark.parametrize("chunked", [True, False])
def test_read_ends_at_a_tick_once_the_answer_streams(client_of, socket_server, chunked):
    counter = Counter()
    ticks = Ticks(SECONDS, lambda: None)
    server = socket_server(reads(streams("one", counter.wait, "two", chunked=chunked)))
    with post(client_of(server.url), BackendCall(ticks=ticks)) as response:
        response.start_streaming()
        blocks = [block for block in response if block is not None or counter()]
    assert b"".join(blocks) == event("one") + event("two") + END
    assert counter.calls >= 3


def test_event_stream_gives_empty_lists_for_ticks(client_of, socket_server):
    counter = Counter()
    client = client_of(socket_server(reads(streams("one", counter.wait, "two"))).url)
    stream = client.open_completion(CHAT, {}, BackendCall(ticks=Ticks(SECONDS, lambda: None)))
    lists = [events for events in stream if events or counter() or True]
    stream.close()
    texts = [choice.text for events in lists for each in events for choice in each.choices]
    assert texts[:2] == ["one", "two"]
    assert lists.count([]) >= 3


def test_canceled_call_ends_at_a_tick_although_its_socket_is_open(client_of, socket_server):
    """On Windows, shutting the socket down wakes no thread that waits in select()."""
    gone = threading.Event()
    call = BackendCall(gone.is_set, ticks=Ticks(SECONDS, gone.set))
    with pytest.raises(ClientDisconnected):
        post(client_of(socket_server(reads(lambda peer: peer.hold())).url), call)


def test_exception_of_the_callback_ends_the_request(client_of, socket_server):
    def leave():
        if server.asked:
            raise ClientDisconnected

    server = socket_server(reads(lambda peer: peer.hold()))
    with pytest.raises(ClientDisconnected):
        post(client_of(server.url), BackendCall(ticks=Ticks(SECONDS, leave)))
    server.until(lambda: server.gone)


def test_waiting_for_a_turn_ticks_without_its_lock():
    loaded = LoadedModel("m")
    loaded.acquire(BackendCall())
    loaded.acquire(BackendCall(ticks=Ticks(SECONDS, loaded.release)))


def test_reused_connection_that_has_ticked_waits_without_a_limit(client_of, socket_server):
    def late(peer):
        if len(server.asked) == 2:
            threading.Event().wait(5 * SECONDS)
        replies(b"body")(peer)

    server = socket_server(by_path({CHAT: late}))
    client = client_of(server.url)
    with post(client, BackendCall(ticks=Ticks(SECONDS, lambda: None))) as response:
        assert response.read_all(0) == b"body"
    assert read_body(client) == b"body"
    assert server.connections == 1
