"""Spans in which a call is watched, one inside the other, as a load inside a completion makes them."""

import pytest
from support.ports import unused_port
from support.scripts import by_path, replies

from flask_shim.errors import ClientGone
from flask_shim.lmstudio import Call, Link, LMStudio
from flask_shim.lmstudio.calls import Watchdog


@pytest.fixture
def watchdog():
    dog = Watchdog(tick_seconds=0.01)
    yield dog
    dog.close()


def test_watched_call_stays_watched_when_an_inner_span_ends(watchdog, until):
    gone = []
    call = Call(lambda: bool(gone))
    with watchdog.watch(call):
        with watchdog.watch(call):
            pass
        assert len(watchdog) == 1
        gone.append(True)
        until(lambda: isinstance(call.failure, ClientGone))
    assert len(watchdog) == 0


def test_watched_call_is_let_go_by_the_outermost_span_only(watchdog):
    call = Call()
    with watchdog.watch(call), watchdog.watch(call), watchdog.watch(call):
        assert len(watchdog) == 1
    assert len(watchdog) == 0


def test_exchange_leaves_a_call_watched_that_somebody_else_watches(rude):
    server = rude(by_path({"/v1/embeddings": replies({"data": []})}))
    backend = LMStudio(Link(base_url=server.url))
    call = Call()
    with backend.watchdog.watch(call):
        backend.embed({"model": "m", "input": []}, call)
        assert len(backend.watchdog) == 1
    backend.close()


def test_answer_without_a_limit_may_be_of_any_length(rude):
    server = rude(by_path({"/v1/embeddings": replies({"data": [], "more": "x" * 100_000})}))
    backend = LMStudio(Link(base_url=server.url, max_answer_bytes=0))
    assert len(backend.embed({"model": "m", "input": []}, Call())["more"]) == 100_000
    backend.close()


def test_backend_that_is_not_there_leaves_nothing_watched():
    backend = LMStudio(Link(base_url=f"http://127.0.0.1:{unused_port()}", connect_retries=0))
    call = Call()
    with pytest.raises(Exception, match="not reachable"):
        backend.embed({"model": "m", "input": []}, call)
    assert len(backend.watchdog) == 0
    backend.close()
