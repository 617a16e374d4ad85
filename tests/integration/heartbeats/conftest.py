"""A shim with frequent heartbeats behind waitress, and an LM Studio that waits for the test."""

from __future__ import annotations

import contextlib
import threading

import pytest
from support.apps import served, several_apps
from support.fake_lmstudio_fixtures import one_studio, studio
from support.socket_server import DEADLINE_SECONDS
from support.wire import Wire

__all__ = ["one_studio", "studio"]


class Gate:
    """A step of a scripted answer that waits until the test opens it."""

    def __init__(self):
        self._opened = threading.Event()

    def open(self):
        self._opened.set()

    def __call__(self, peer):
        assert self._opened.wait(DEADLINE_SECONDS)


class Stream(Wire):
    """A request to the shim, and its answer while it arrives."""

    def until_times(self, mark, times):
        """Read until ``mark`` has come that often."""
        while self.received.count(mark) < times:
            block = self.sock.recv(65536)
            assert block, f"closed before {mark!r} had come {times} times: {self.received!r}"
            self.received += block


@pytest.fixture(scope="package")
def port(one_studio, tmp_path_factory):
    with several_apps(data_dir=tmp_path_factory.mktemp("data"), model_cache_ttl=0) as app_of:
        app = app_of(backend_url=one_studio.url, heartbeat=0.1)
        with served(app, channel_request_lookahead=1) as port:
            yield int(port)


@pytest.fixture
def stream(port):
    """Return a function that sends a request and gives the stream of its answer."""
    opened = []

    def send(path, body, **more):
        opened.append(Stream(port))
        opened[-1].ask(path, body, **more)
        return opened[-1]

    yield send
    for each in opened:
        each.sock.close()


@pytest.fixture
def progress_stream(one_studio, tmp_path):
    """Return a function that sends a request to a shim which shows progress, and gives the stream of its answer."""
    with several_apps(data_dir=tmp_path, model_cache_ttl=0) as app_of:
        app = app_of(backend_url=one_studio.url, heartbeat=0.1, show_progress=True)
        with served(app, channel_request_lookahead=1) as port, contextlib.ExitStack() as opened:

            def send(path, body):
                wire = opened.enter_context(Stream(int(port)))
                wire.ask(path, body)
                return wire

            yield send


@pytest.fixture
def gate():
    """Give a gate that is open at the end of the test at the latest."""
    gate = Gate()
    yield gate
    gate.open()
