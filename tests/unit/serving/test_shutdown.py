"""End waitress' loop, also while other threads wake it."""

from __future__ import annotations

import signal
import threading
import time
import urllib.request

from flask import Flask
from waitress.server import create_server

from flask_shim.serving import signals
from flask_shim.serving._waitress import shut_down
from flask_shim.serving.signals import handle_signals


def running(app):
    server = create_server(app, map={}, host="127.0.0.1", port=0, threads=4)
    loop = threading.Thread(target=server.run, daemon=True)
    loop.start()
    return server, loop


def test_loop_ends_and_its_port_is_free():
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: "here")
    server, loop = running(app)
    with urllib.request.urlopen(f"http://127.0.0.1:{server.effective_port}") as answer:
        assert answer.read() == b"here"
    shut_down([server], seconds=5)
    loop.join(10)
    assert not loop.is_alive()
    again = create_server(app, map={}, host="127.0.0.1", port=server.effective_port, threads=1)
    again.task_dispatcher.shutdown()
    again.close()


def test_a_loop_already_awake_closes_nothing_before_the_trigger(monkeypatch):
    server, loop = running(Flask(__name__))
    pull = server.trigger.pull_trigger

    def find_before_the_pull(thunk):
        found = threading.Event()
        pull(lambda: (found.set(), thunk()))
        assert found.wait(10)
        time.sleep(0.2)  # what a loop that doesn't wait closes everything in
        pull()

    monkeypatch.setattr(server.trigger, "pull_trigger", find_before_the_pull)
    shut_down([server], seconds=5)
    loop.join(10)
    assert not loop.is_alive()


def test_listener_that_cannot_be_closed_does_not_keep_the_loop(monkeypatch, caplog):
    """Windows refuses to close some inherited sockets with WSAENOTSOCK."""
    server, loop = running(Flask(__name__))
    second = create_server(Flask(__name__), map=server._map, host="127.0.0.1", port=0, threads=1)
    close = server.close

    def refuse():
        close()
        raise OSError(10038, "An operation was attempted on something that is not a socket")

    monkeypatch.setattr(server, "close", refuse)
    shut_down([server, second], seconds=5)
    loop.join(10)
    assert not loop.is_alive()
    assert second.socket is None
    assert "a socket could not be closed" in caplog.text


def test_signal_stops_the_shim_where_no_thread_can_start(monkeypatch):
    start, stopped = threading.Thread.start, threading.Event()

    def refuse(thread):
        if thread.name == "shim-stop":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with handle_signals(stopped.set, stopped.clear):
        signal.raise_signal(signal.SIGINT)
        assert stopped.wait(10)


def test_another_signal_at_the_same_moment_is_part_of_the_first(monkeypatch, caplog):
    ended = threading.Event()
    monkeypatch.setattr(signals.os, "_exit", lambda _: ended.set())
    with handle_signals(lambda: None, lambda: None):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            signal.raise_signal(number)
        assert ended.wait(10)
    assert [record.getMessage() for record in caplog.records] == ["forced signal=SIGINT"]
