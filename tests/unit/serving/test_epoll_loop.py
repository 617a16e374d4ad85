"""The loop over epoll waits for what its connections want, and asks only those that had an event."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack

import pytest
from support.raw_http import exchange

from flask_shim.serving._waitress import WaitressServer

pytestmark = pytest.mark.skipif("sys.platform != 'linux'", reason="only Linux has epoll")


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr("flask_shim.serving._waitress.epoll_loop.SWEEP_SECONDS", 1000)
    release = threading.Event()

    def app(environ, start_response):
        if environ["PATH_INFO"] == "/large":
            start_response("200 OK", [("Content-Length", "20000000")])
            return [b"x" * 20_000_000]
        assert release.wait(10)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    listener = socket.create_server(("127.0.0.1", 0))
    settings = {"threads": 2, "channel_request_lookahead": 1, "connection_limit": 100}
    running = WaitressServer(app, [listener], settings)
    loop = threading.Thread(target=running.run, daemon=True)
    loop.start()
    running.port, running.release = listener.getsockname()[1], release
    yield running
    release.set()
    running.stop(5)
    loop.join(10)
    assert not loop.is_alive()


def test_idle_connections_are_not_asked(server, until):
    server.release.set()
    with ExitStack() as idle:
        for _ in range(20):
            idle.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        until(lambda: server.count_connections() == 20)
        asked = []
        for channel in server._listening[0].active_channels.values():
            real = channel.readable
            channel.readable = lambda channel=channel, real=real: asked.append(channel) or real()
        for _ in range(20):
            assert exchange(server.port, "GET", "/small").body == b"ok"
        assert len(asked) < 600  # not all of them at each of 60 events


def test_what_a_slow_client_did_not_read_is_sent_later(server, until):
    with socket.create_connection(("127.0.0.1", server.port)) as client, client.makefile("rb") as reader:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        until(server.count_unsent)
        while reader.readline() != b"\r\n":
            pass
        assert len(reader.read(20_000_000)) == 20_000_000
        until(server.is_idle)


def test_a_client_that_leaves_is_noticed_while_its_request_runs(server, until):
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: not server.is_idle())
    until(lambda: not server.count_connections())
    assert not server.is_idle()


def test_at_the_limit_a_closed_connection_makes_room_at_once(server, until):
    server.release.set()
    with ExitStack() as idle:
        opened = [idle.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(110)]
        until(lambda: server.count_connections() >= 95)
        for each in opened[:50]:
            each.close()
        assert exchange(server.port, "GET", "/small").body == b"ok"


def test_a_request_is_answered_though_the_one_before_it_goes_on(server):
    with socket.create_connection(("127.0.0.1", server.port)) as first:
        first.sendall(b"GET /waits HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as second:
            second.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert second.recv(15) == b"HTTP/1.1 200 OK"
