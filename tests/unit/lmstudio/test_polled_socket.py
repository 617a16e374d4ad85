"""Reads of a polled socket never wait."""

from __future__ import annotations

import socket

import pytest

from flask_shim.lmstudio.http.polled_socket import PolledSocket


@pytest.fixture
def sockets():
    ours, backend = socket.socketpair()
    with ours, backend:
        yield PolledSocket(ours), backend


def test_a_socket_that_is_not_polled_is_read_like_any_other(sockets):
    polled, backend = sockets
    backend.sendall(b"12")
    assert [polled.receive(1), polled.receive(1)] == [b"1", b"2"]
    assert not polled.is_awaited


@pytest.mark.skipif("sys.platform == 'win32'", reason="Windows has no MSG_DONTWAIT, and its sockets are not polled")
def test_one_read_receives_each_time_the_socket_is_ready(sockets):
    polled, backend = sockets
    polled.is_polled = True
    backend.sendall(b"12")
    assert polled.receive(1) == b"1"
    with pytest.raises(BlockingIOError):
        polled.receive(1)
    polled.is_ready = True
    assert polled.receive(1) == b"2"


@pytest.mark.skipif("sys.platform == 'win32'", reason="Windows has no MSG_DONTWAIT, and its sockets are not polled")
def test_a_read_that_finds_nothing_says_that_the_socket_is_awaited(sockets):
    polled, _ = sockets
    polled.is_polled = True
    with pytest.raises(BlockingIOError):
        polled.receive(1)
    assert polled.is_awaited
