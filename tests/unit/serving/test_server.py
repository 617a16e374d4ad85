"""How a server is set up for the machine it runs on."""

from __future__ import annotations

import errno
import logging
import socket
import threading
from types import SimpleNamespace

import pytest
import requests
from support.ports import accepts
from support.wire import Wire

from flask_shim.config import Config, ConfigError
from flask_shim.serving import server
from flask_shim.serving._waitress import WaitressServer
from flask_shim.serving._waitress.channel import is_instant


@pytest.mark.parametrize(
    ("allowed", "connections"), [(100_000, 1000), (1256, 1000), (1024, 480), (128, 32), (64, 1), (10, 1)]
)
def test_no_more_clients_are_accepted_than_open_files_allow(monkeypatch, caplog, allowed, connections):
    monkeypatch.setattr(server, "_raise_descriptor_limit", lambda wanted: min(wanted, allowed))
    with caplog.at_level(logging.WARNING):
        assert server._connection_limit(Config()) == connections
    assert bool(caplog.messages) is (connections < 1000)


@pytest.mark.parametrize(
    ("error", "is_logged"),
    [
        (ConnectionResetError(errno.ECONNRESET, "reset"), False),
        (ConnectionAbortedError(errno.ECONNABORTED, "aborted"), False),
        (OSError(errno.ENOTCONN, "not connected"), False),
        (OSError(errno.EMFILE, "too many open files"), True),
    ],
)
def test_client_that_left_before_it_was_accepted_is_no_line(caplog, error, is_logged):
    def fail():
        raise error

    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = WaitressServer(lambda *_: [], [listener], {"threads": 1})
        (listening,) = running._listening
        real, listening.socket = listening.socket, SimpleNamespace(accept=fail)
        listening.handle_accept()
        listening.socket = real
        running._server.task_dispatcher.shutdown()
        running._server.close()
    assert bool(caplog.messages) is is_logged


def constant(_, start_response):
    start_response("200 OK", [("Content-Length", "4")])
    return [b"here"]


def test_server_that_stops_listening_answers_the_connected_clients(until):
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    running = WaitressServer(constant, [listener], {"threads": 1})
    loop = threading.Thread(target=running.run, daemon=True)
    with Wire(port) as wire:  # accepted by the system, not yet by the server
        running.start_draining()
        running.stop_listening()
        loop.start()
        until(lambda: not accepts(port))
        until(lambda: running.count_connections() == 1)  # the probes have gone
        wire.ask("/", closes=False)
        answer = wire.answer()
    assert (answer.body, answer.headers["connection"]) == (b"here", "close")
    until(lambda: not running.count_connections())
    running.stop(5)
    loop.join(10)
    assert not loop.is_alive()


def test_a_limit_of_one_connection_serves_one_client_after_the_other():
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    running = server.Server(constant, Config(connection_limit=1, threads=1), listeners)
    loop = threading.Thread(target=running.run, daemon=True)
    loop.start()
    for listener in listeners:
        with Wire(listener.getsockname()[1]) as wire:
            wire.ask("/", closes=True)
            assert wire.answer().body == b"here"
    running.stop(5)
    loop.join(10)
    assert not loop.is_alive()


def test_threads_that_the_system_refuses_are_a_mistake_in_the_settings(monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(ConfigError, match=r"^SHIM_THREADS=72: "):
        server.Server(constant, Config(), [listener])


def test_large_requests_stay_in_memory_where_no_temporary_file_can_be_written(monkeypatch, caplog):
    def fail(*_, **__):
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    def count(environ, start_response):
        start_response("200 OK", [])
        return [b"%d" % len(environ["wsgi.input"].read())]

    monkeypatch.setattr("tempfile.gettempdir", fail)
    monkeypatch.setattr("tempfile.TemporaryFile", fail)
    listener = socket.create_server(("127.0.0.1", 0))
    running = server.Server(count, Config(threads=1), [listener])
    loop = threading.Thread(target=running.run, daemon=True)
    loop.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    assert requests.post(url, data=b"x" * 1_000_000, timeout=10).text == "1000000"
    running.stop(5)
    loop.join(10)
    assert "stay in memory: No usable temporary directory" in caplog.text


@pytest.fixture
def busy_server():
    """Serve with one thread, which "/slow" occupies until ``leave`` is set; yield the port and both events."""
    entered, leave = threading.Event(), threading.Event()

    def app(environ, start_response):
        if environ["PATH_INFO"] == "/slow":
            entered.set()
            assert leave.wait(20)
        start_response("200 OK", [("Content-Length", "4")])
        return [environ["PATH_INFO"][:4].encode()]

    listener = socket.create_server(("127.0.0.1", 0))
    running = WaitressServer(app, [listener], {"threads": 1, "channel_request_lookahead": 1})
    loop = threading.Thread(target=running.run, daemon=True)
    loop.start()
    yield listener.getsockname()[1], entered, leave
    leave.set()
    running.stop(5)
    loop.join(10)
    assert not loop.is_alive()


def test_health_checks_are_answered_while_all_threads_are_busy(busy_server):
    port, entered, leave = busy_server
    with Wire(port) as slow, Wire(port) as check:
        slow.ask("/slow")
        assert entered.wait(10)
        check.ask("/health")
        assert check.answer().body == b"/hea"
        leave.set()
        assert slow.answer().body == b"/slo"


def test_answers_of_one_connection_keep_their_order(busy_server):
    port, _, leave = busy_server
    leave.set()
    paths = ("/health", "/slow", "/ping", "/other")
    with socket.create_connection(("127.0.0.1", port), 10) as client, client.makefile("rb") as reader:
        client.sendall(b"".join(b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % path.encode() for path in paths))
        bodies = []
        for _ in paths:
            while reader.readline() != b"\r\n":
                pass
            bodies.append(reader.read(4))
    assert bodies == [path[:4].encode() for path in paths]


@pytest.mark.parametrize(
    ("path", "host", "changes", "expected"),
    [
        ("/health", "127.0.0.1:11434", {}, True),
        ("/api/version", "LOCALHOST", {}, True),
        ("/", "[::1]:11434", {}, True),
        ("/api/chat", "127.0.0.1", {}, False),
        ("/", "this-machine.example", {}, False),
        ("/", "", {}, False),
        ("/", "127.0.0.1", {"error": object()}, False),
        ("/", "127.0.0.1", {"body_rcv": object()}, False),
    ],
)
def test_only_what_cannot_wait_is_answered_without_a_thread(path, host, changes, expected):
    request = SimpleNamespace(**{"path": path, "headers": {"HOST": host}, "error": None, "body_rcv": None, **changes})
    assert is_instant(request) is expected
