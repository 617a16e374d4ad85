"""A call can be canceled from any thread in every phase, and is watched until its outermost span ends."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import SimpleNamespace

import pytest
from support.answers import reads, replies
from support.ports import unused_port

from flask_shim.lmstudio.errors import BackendTimeout, BackendUnavailable, ClientDisconnected, ServerBusy
from flask_shim.lmstudio.http import cancellation
from flask_shim.lmstudio.http.cancellation import BackendCall, Watchdog


@pytest.fixture
def watchdog():
    dog = Watchdog(check_seconds=0.005)
    yield dog
    dog.close()


@pytest.fixture
def pair():
    """Two sockets that talk to each other: ours and the backend's."""
    ours, theirs = socket.socketpair()
    ours.settimeout(5)
    theirs.settimeout(5)
    with ours, theirs:
        yield ours, theirs


class Client:
    """A client that may go away."""

    is_gone = False

    def __call__(self):
        return self.is_gone


def test_a_call_canceled_after_it_got_its_socket_wakes_the_reader(pair):
    ours, theirs = pair
    call = BackendCall()
    call.attach(ours)

    def read():
        with suppress(OSError):  # what recv() ends with on Windows; elsewhere it returns nothing
            assert ours.recv(1) == b""

    reading = threading.Thread(target=read)
    reading.start()
    call.cancel(ClientDisconnected())
    reading.join(5)
    assert not reading.is_alive()
    assert theirs.recv(1) == b""


def test_a_call_canceled_before_it_has_a_socket_closes_it(pair):
    ours, theirs = pair
    call = BackendCall()
    call.cancel(ClientDisconnected())
    call.attach(ours)
    assert theirs.recv(1) == b""


def test_a_socket_that_was_given_up_is_left_alone(pair):
    ours, theirs = pair
    call = BackendCall()
    call.attach(ours)
    call.detach()
    call.cancel(ClientDisconnected())
    ours.sendall(b"x")
    assert theirs.recv(1) == b"x"


def test_a_socket_that_is_closed_already_does_no_harm(pair):
    ours, _ = pair
    call = BackendCall()
    call.attach(ours)
    ours.close()
    call.cancel(ClientDisconnected())
    assert isinstance(call.failure, ClientDisconnected)


def test_the_first_cancellation_wins():
    call = BackendCall()
    call.cancel(BackendTimeout("too late"))
    call.cancel(ClientDisconnected())
    with pytest.raises(BackendTimeout, match="too late"):
        call.check()


def test_a_call_without_failure_passes_its_check():
    call = BackendCall(lambda: False)
    call.check()
    call.cancel_if_due(0.0)
    assert call.failure is None


def test_a_check_notices_the_disconnect():
    with pytest.raises(ClientDisconnected):
        BackendCall(lambda: True).check()


def test_a_disconnect_ends_the_call(watchdog, until):
    client = Client()
    call = BackendCall(client)
    with watchdog.watch(call):
        client.is_gone = True
        until(lambda: isinstance(call.failure, ClientDisconnected))


def test_a_phase_that_lasts_too_long_ends_the_call_with_its_text(watchdog, until):
    call = BackendCall()
    with watchdog.watch(call):
        call.allow(0.01, "LM Studio did not begin")
        until(lambda: call.failure is not None)
    assert (type(call.failure), call.failure.text) == (BackendTimeout, "LM Studio did not begin")


def test_a_new_phase_has_a_deadline_of_its_own():
    call = BackendCall()
    call.allow(10, "first")
    call.allow(20, "second")
    start = threading.TIMEOUT_MAX  # any moment later than both
    call.cancel_if_due(start)
    assert call.failure.text == "second"


def test_a_phase_cannot_end_while_the_call_connects(pair):
    ours, theirs = pair
    call = BackendCall()
    call.allow(-1, "too late")
    call.suspend_deadline()
    call.cancel_if_due(threading.TIMEOUT_MAX)
    assert call.failure is None
    call.attach(ours)
    assert call.failure.text == "too late"
    assert theirs.recv(1) == b""


def test_a_phase_without_a_text_ends_its_connection_but_not_the_call(pair):
    ours, theirs = pair
    call = BackendCall()
    call.allow(-1, "")
    call.attach(ours)
    assert theirs.recv(1) == b""
    call.detach()
    call.allow(None, "")
    call.check()


def test_a_phase_without_limit_lasts():
    call = BackendCall()
    call.allow(0, "never")
    call.allow(None, "never")
    call.cancel_if_due(threading.TIMEOUT_MAX)
    assert call.failure is None


def test_all_phases_together_may_be_limited():
    call = BackendCall(total_timeout=5)
    call.allow(None, "never")
    call.cancel_if_due(threading.TIMEOUT_MAX)
    assert "total timeout" in call.failure.text


def test_a_canceled_call_is_not_ticked_again():
    asked = []
    call = BackendCall(lambda: bool(asked.append(1)))
    call.cancel(ClientDisconnected())
    call.cancel_if_due(0.0)
    assert asked == []


def test_time_in_which_the_process_did_not_run_ends_no_call(watchdog, monkeypatch):
    now = 1000.0

    def sleep_for_an_hour(_):
        nonlocal now
        now += 3600
        return now > 5000

    monkeypatch.setattr(cancellation, "time", SimpleNamespace(monotonic=lambda: now))
    call = BackendCall(total_timeout=60)
    call.allow(30, "late")
    watchdog._calls.add(call)
    watchdog._run(SimpleNamespace(wait=sleep_for_an_hour, is_set=lambda: False))
    call.cancel_if_due(4600 + 29)
    assert call.failure is None
    call.cancel_if_due(4600 + 31)
    assert call.failure.text == "late"


def test_a_call_that_is_not_watched_any_more_is_left_alone(watchdog, until):
    client = Client()
    call, other = BackendCall(client), BackendCall(lambda: True)
    with watchdog.watch(call):
        pass
    client.is_gone = True
    with watchdog.watch(other):
        until(lambda: other.failure is not None)
    assert call.failure is None
    assert len(watchdog) == 0


def test_all_open_calls_can_be_canceled_together(watchdog):
    calls = [BackendCall() for _ in range(5)]
    for call in calls:
        watchdog.add(call)
    watchdog.cancel_all(ServerBusy("the shim is shutting down"))
    assert {type(call.failure) for call in calls} == {ServerBusy}


def test_one_thread_watches_all_calls_and_ends_with_the_watchdog(watchdog):
    before = threading.active_count()
    for _ in range(20):
        watchdog.add(BackendCall())
    assert threading.active_count() == before + 1
    watchdog.close()
    assert threading.active_count() == before


def test_a_watchdog_that_was_closed_starts_again(watchdog, until):
    watchdog.add(BackendCall())
    watchdog.close()
    call = BackendCall(lambda: True)
    with watchdog.watch(call):
        until(lambda: call.failure is not None)


def test_a_watchdog_without_calls_can_be_closed(watchdog):
    with watchdog.watch(BackendCall()):
        pass
    watchdog.close()
    assert len(watchdog) == 0


NO_VECTORS = {"model": "m", "input": []}


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


def test_exchange_keeps_a_call_watched_by_another(client_of, socket_server):
    client, call = client_of(socket_server(reads(replies({"data": []}))).url), BackendCall()
    with client.watchdog.watch(call):
        client.embed(NO_VECTORS, call)
        assert len(client.watchdog) == 1


def test_answer_without_a_limit_may_be_of_any_length(client_of, socket_server):
    answer = replies({"data": [], "more": "x" * 100_000})
    client = client_of(socket_server(reads(answer)).url, max_answer_bytes=0)
    assert len(client.embed(NO_VECTORS, BackendCall())["more"]) == 100_000


def test_backend_that_is_not_there_leaves_nothing_watched(client_of):
    client = client_of(f"http://127.0.0.1:{unused_port()}")
    with pytest.raises(BackendUnavailable):
        client.embed(NO_VECTORS, BackendCall())
    assert len(client.watchdog) == 0


def test_a_thread_that_the_system_refuses_leaves_nothing_behind(watchdog, monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            watchdog.add(BackendCall())
    assert watchdog.count_awaited() == 0
    watchdog.close()
    with watchdog.watch(BackendCall()):
        assert watchdog._thread.is_alive()


def test_pause_ends_for_a_canceled_call():
    BackendCall().pause(0.01)
    with pytest.raises(ClientDisconnected):
        BackendCall(lambda: True).pause(60)
