"""What the tests of the client have in common: a clock to turn, and clients of socket_server backends."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
import responses
from support.answers import reads
from support.fake_lmstudio import FakeLMStudio
from support.model_lists import URL, ModelListBackend

from flask_shim.lmstudio import BackendCall, ClientOptions, LMStudio, catalogue
from flask_shim.lmstudio.catalogue import ModelListCache
from flask_shim.lmstudio.client import CHAT
from flask_shim.lmstudio.http.cancellation import Watchdog
from flask_shim.lmstudio.http.transport import Transport


class Clock:
    """Monotonic seconds that pass when a test says so."""

    now = 1000.0

    def monotonic(self):
        return self.now

    def pass_(self, seconds):
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def client_of():
    """Return a function that makes a client of a backend's address; all are closed at the end."""
    opened = []

    def client(url, **options):
        options = ClientOptions(base_url=url, **{"connect_retries": 0, "retry_backoff": 0.01, **options})
        client = LMStudio(options, watchdog=Watchdog(check_seconds=0.01))
        opened.append(client)
        return client

    yield client
    for one in opened:
        one.close()
        one.watchdog.close()


LIST_SECONDS = 30.0
"""How long the catalogue of these tests believes a list."""


@pytest.fixture
def backend():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield ModelListBackend(mock)


@pytest.fixture
def models(backend, clock, monkeypatch):
    """A catalogue of that backend, whose clock the test turns."""
    monkeypatch.setattr(catalogue, "time", clock)
    transport = Transport(ClientOptions(base_url=URL))
    yield ModelListCache(transport, LIST_SECONDS)
    transport.close()


@pytest.fixture
def opened(client_of, socket_server):
    """Return a function that asks a backend with that behavior for a stream and returns it opened."""
    with ExitStack() as stack:

        def stream_of(answer, call=None, **options):
            client, call = client_of(socket_server(reads(answer)).url, **options), call or BackendCall()
            stack.enter_context(client.watchdog.watch(call))
            stream = client.open_completion(CHAT, {"stream": True}, call)
            stack.callback(stream.close)
            return stream

        yield stream_of


@pytest.fixture
def start_studio(client_of):
    """Return a function that starts a fake LM Studio and gives it with a client."""
    with ExitStack() as running:

        def start(*arguments, **options):
            server = running.enter_context(FakeLMStudio(*arguments, **options))
            return server, client_of(server.url)

        yield start
