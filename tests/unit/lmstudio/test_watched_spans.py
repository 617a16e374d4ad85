"""Spans in which a call is watched, one inside the other, as a load inside a completion makes them."""

import pytest
from support.fake_lmstudio import FakeLMStudio

from flask_shim.lmstudio import BackendCall, ClientOptions, LMStudio
from flask_shim.lmstudio.errors import BackendUnavailable, ClientDisconnected
from flask_shim.lmstudio.http.cancellation import Watchdog

NO_VECTORS = {"model": "m", "input": []}


@pytest.fixture
def watchdog():
    dog = Watchdog(tick_seconds=0.01)
    yield dog
    dog.close()


@pytest.fixture
def backend():
    """Return a function that makes a client of a backend with one answer."""
    opened = []

    def of(answer, **options):
        server = FakeLMStudio({}, lambda _: answer)
        opened.append((server, LMStudio(ClientOptions(base_url=server.url, **options))))
        return opened[-1][1]

    yield of
    for server, client in opened:
        client.close()
        server.kill()


def test_watched_call_stays_watched_when_an_inner_span_ends(watchdog, until):
    gone = []
    call = BackendCall(lambda: bool(gone))
    with watchdog.watch(call):
        with watchdog.watch(call):
            pass
        assert len(watchdog) == 1
        gone.append(True)
        until(lambda: isinstance(call.failure, ClientDisconnected))
    assert len(watchdog) == 0


def test_watched_call_is_let_go_by_the_outermost_span_only(watchdog):
    call = BackendCall()
    with watchdog.watch(call), watchdog.watch(call), watchdog.watch(call):
        assert len(watchdog) == 1
    assert len(watchdog) == 0


def test_exchange_keeps_a_call_watched_by_another(backend):
    client, call = backend({"data": []}), BackendCall()
    with client.watchdog.watch(call):
        client.embed(NO_VECTORS, call)
        assert len(client.watchdog) == 1


def test_answer_without_a_limit_may_be_of_any_length(backend):
    client = backend({"data": [], "more": "x" * 100_000}, max_answer_bytes=0)
    assert len(client.embed(NO_VECTORS, BackendCall())["more"]) == 100_000


def test_backend_that_is_not_there_leaves_nothing_watched():
    gone = FakeLMStudio({})
    gone.kill()
    client = LMStudio(ClientOptions(base_url=gone.url, connect_retries=0))
    with pytest.raises(BackendUnavailable):
        client.embed(NO_VECTORS, BackendCall())
    assert len(client.watchdog) == 0
    client.close()
