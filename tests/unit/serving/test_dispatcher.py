"""Answers that are ready never wait for a worker, and change nothing for those that do."""

from __future__ import annotations

import socket
import threading

import pytest
from support.demo import Shim
from support.raw_http import exchange

from flask_shim.middleware.static_responses import PATHS

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def shim(tmp_path):
    """Give a shim with two workers, each of which an answer to ``/stuck`` holds until the test is over."""
    free, arrived = threading.Event(), threading.Semaphore(0)

    def stuck():
        arrived.release()
        assert free.wait(20)
        return "free"

    with Shim(NOWHERE, tmp_path, threads=2, max_streams=1) as running:
        running.app.add_url_rule("/stuck", view_func=stuck)
        running.arrived = arrived
        yield running
        free.set()


def connect(shim, *requests):
    connection = socket.create_connection(("127.0.0.1", shim.port), 10)
    connection.sendall(b"".join(b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % path for path in requests))
    return connection


def statuses(connection, count):
    """Read ``count`` answers and return the bodies behind their heads, in order."""
    got = b""
    while got.count(b"HTTP/1.1 ") < count or not got.endswith((b"}", b"running")):
        block = connection.recv(65536)
        assert block, got
        got += block
    return [part.partition(b"\r\n\r\n")[2] for part in got.split(b"HTTP/1.1 ")[1:]]


def test_with_every_worker_stuck_whoever_asks_for_health_is_answered(shim):
    before = {path: exchange(shim.port, "GET", path, headers={"Host": "127.0.0.1"}) for path in PATHS}
    held = [connect(shim, b"/stuck") for _ in range(2)]
    for _ in held:
        assert shim.arrived.acquire(timeout=10)
    for path in PATHS:
        now = exchange(shim.port, "GET", path, headers={"Host": "127.0.0.1"})
        assert (now.status, now.body) == (200, before[path].body)
    for one in held:
        one.close()


def test_requests_sent_in_one_go_are_answered_in_their_order(shim):
    paths = [b"/api/version", b"/", b"/api/version", b"/nowhere-to-be-found", b"/health"]
    for _ in range(3):  # from memory from the second time on
        with connect(shim, *paths) as connection:
            version, root, again, missing, health = statuses(connection, len(paths))
        assert version == again == b'{"version":"%b"}' % shim.config.ollama_version.encode()
        assert (root, missing, health) == (b"Ollama is running", b"404 page not found", b'{"status":"ok"}')


def test_connection_stays_open_for_the_next_request(shim):
    with connect(shim) as connection:
        for _ in range(3):
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert statuses(connection, 1) == [b'{"status":"ok"}']


def test_garbage_behind_a_ready_request_is_refused_and_the_server_lives(shim):
    exchange(shim.port, "GET", "/health", headers={"Host": "127.0.0.1"})
    with connect(shim, b"/health") as connection:
        connection.sendall(b"\x00\x01 what\r\n\r\n")
        got = b""
        while block := connection.recv(65536):
            got += block
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\n\r\n" in got.partition(b"400 Bad Request")[2]
    assert exchange(shim.port, "GET", "/health").status == 200
