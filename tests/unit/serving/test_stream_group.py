"""Streams share the thread that waits for their backends, and nothing else."""

from __future__ import annotations

import gc
import socket
import sys
import threading
import weakref
from contextvars import ContextVar
from itertools import takewhile
from pathlib import Path
from types import SimpleNamespace

import pytest

from flask_shim.lmstudio.http.polled_socket import PolledSocket

if sys.platform != "linux":
    pytest.skip("only Linux has epoll", allow_module_level=True)

from flask_shim.serving._waitress import stream_group

REQUEST = ContextVar("request", default="")


class Stream:
    """A stream with its thread; ``backend`` is the socket of what it reads from."""

    def __init__(self, group, name="a"):
        ours, self.backend = socket.socketpair()
        self.polled = PolledSocket(ours)
        self.sent: list[bytes] = []
        self.written_by: set[threading.Thread] = set()
        self.written_in: set[str] = set()
        self.error = None
        self._ours = ours
        self._group = group
        self.thread = threading.Thread(target=self._run, args=(name,), daemon=True)
        self.thread.start()

    def blocks(self):
        while True:
            try:
                block = self.polled.receive(100)
            except BlockingIOError:
                yield b""
                continue
            if not block:
                return
            yield from (b"", block)  # an empty block may also mean nothing

    def write(self, block):
        if block == b"fail":
            raise ConnectionError("the client has left")
        self.sent.append(block)
        self.written_by.add(threading.current_thread())
        self.written_in.add(REQUEST.get())

    def _run(self, name):
        REQUEST.set(name)
        try:
            self._group.run(self.blocks(), self.polled, self.write)
        except ConnectionError as exc:
            self.error = exc

    def close(self):
        self.backend.close()
        self.thread.join(10)
        self._ours.close()
        assert not self.thread.is_alive()


class Blocks(list):
    """Blocks that can be referred to weakly."""

    def __next__(self):
        return self.pop()


def silence(polled):
    """Yield what a stream does while its backend sends nothing."""
    while True:
        polled.is_awaited = True
        yield b""


@pytest.fixture
def group():
    return stream_group.StreamGroup()


@pytest.fixture
def stream(group, until):
    """Return a function that starts a stream and waits for its first block."""
    streams = []

    def start(name="a"):
        streams.append(Stream(group, name))
        send(streams[-1], b"1", until)
        return streams[-1]

    yield start
    for each in streams:
        each.close()


def send(stream, block, until):
    stream.backend.sendall(block)
    until(lambda: block in stream.sent)


def test_one_thread_sends_what_the_backends_of_all_streams_bring(stream, until):
    streams = [stream() for _ in range(3)]
    for each in streams:
        each.written_by.clear()
    for block in (b"2", b"3"):
        for each in streams:
            send(each, block, until)
    assert [each.sent for each in streams] == [[b"1", b"2", b"3"]] * 3
    assert len(set.union(*(each.written_by for each in streams))) == 1


def test_another_thread_waits_when_the_stream_of_the_waiting_one_is_over(stream, until):
    first, second, third = stream(), stream(), stream()
    first.close()
    for each in (second, third):
        send(each, b"2", until)
    second.close()
    send(third, b"3", until)
    assert third.sent == [b"1", b"2", b"3"]


@pytest.mark.parametrize("leads", [True, False])
def test_a_failure_ends_only_its_own_stream_and_is_raised_in_its_thread(stream, until, leads):
    first, second = stream(), stream()
    failing, other = (first, second) if leads else (second, first)
    failing.backend.sendall(b"fail")
    failing.thread.join(10)
    assert str(failing.error) == "the client has left"
    send(other, b"2", until)
    assert other.error is None


def test_a_stream_may_be_ready_at_the_moment_it_is_polled(group, stream, monkeypatch, until):
    """The thread that leads is faster than the one that adds its stream."""

    def register(*args):
        epoll.register(*args)
        is_started.wait(10)
        second.backend.sendall(b"2")
        until(lambda: b"2" in second.sent)

    first, epoll, is_started = stream(), group._epoll, threading.Event()
    wrapper = SimpleNamespace(poll=epoll.poll, register=register, unregister=epoll.unregister)
    first.backend.sendall(b"wake")  # the leader polls the wrapper from now on
    monkeypatch.setattr(group, "_epoll", wrapper)
    until(lambda: b"wake" in first.sent)
    second = Stream(group)
    is_started.set()
    until(lambda: b"2" in second.sent)
    second.close()
    send(first, b"3", until)


def test_a_stream_that_cannot_be_polled_leaves_the_others_alone(group, stream, until):
    first, second = stream(), stream()
    with Path(__file__).open() as file:  # a file cannot be polled
        polled = PolledSocket(SimpleNamespace(fileno=file.fileno, recv=None))
        with pytest.raises(PermissionError):
            group.run(silence(polled), polled, print)
        first.close()
        second.close()
        third = stream()
        send(third, b"2", until)


def test_a_failure_leaves_no_reference_cycle(group):
    def write(_):
        raise ConnectionError

    ours, backend = socket.socketpair()
    with ours, backend:
        polled = PolledSocket(ours)
        blocks = Blocks([b"1"])
        was_collected = weakref.ref(blocks)
        gc.disable()
        try:
            with pytest.raises(ConnectionError):
                group.run(blocks, polled, write)
            del blocks
            assert was_collected() is None
        finally:
            gc.enable()


def test_a_block_is_written_in_the_context_of_its_own_request(stream, until):
    streams = {name: stream(name) for name in ("a", "b")}
    for name, each in streams.items():
        send(each, b"2", until)
        assert each.written_in == {name}


def test_a_stream_goes_on_at_times_though_its_backend_is_silent(group, monkeypatch, until):
    monkeypatch.setattr(stream_group, "SWEEP_SECONDS", 0.01)
    ours, backend = socket.socketpair()
    sent = []
    heartbeats = iter([b"", b"", b"heartbeat"])

    def blocks():
        for block in heartbeats:
            with pytest.raises(BlockingIOError):
                polled.receive(100)
            yield block

    polled = PolledSocket(ours)
    with ours, backend:
        group.run(blocks(), polled, sent.append)
    assert sent == [b"heartbeat"]


def test_sweeps_are_on_time_however_often_the_leader_wakes(monkeypatch):
    now = 0.0

    def poll(seconds):
        nonlocal now
        now += min(seconds, 0.2)
        return []

    epoll = SimpleNamespace(poll=poll, register=lambda *_: None, unregister=lambda _: None)
    monkeypatch.setattr(stream_group.select, "epoll", lambda: epoll)
    monkeypatch.setattr(stream_group, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(stream_group, "SWEEP_SECONDS", 0.5)
    swept_at = []
    ours, backend = socket.socketpair()
    with ours, backend:
        polled = PolledSocket(ours)
        blocks = silence(polled)
        stream_group.StreamGroup().run(takewhile(lambda _: swept_at.append(now) or now < 2, blocks), polled, print)
    assert swept_at == pytest.approx([0, 1, 1.5, 2])


def test_reads_wait_again_after_the_stream(stream):
    ended = stream()
    ended.close()
    assert not ended.polled.is_polled
