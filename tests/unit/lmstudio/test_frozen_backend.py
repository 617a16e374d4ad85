"""A frozen LM Studio accepts connections but never reads, answers or notices that the other side has closed."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.transport_requests import get_list, post

from flask_shim.lmstudio import BackendCall
from flask_shim.lmstudio.errors import BackendTimeout, BackendUnavailable, ClientDisconnected
from flask_shim.lmstudio.http.socket_abort import abort_socket

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
LARGE = b"x" * 50_000_000
"""More than the system takes in for a program that never reads."""

BODIES = {
    "chunked": HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\ndata\r\n",
    "until closed": HEAD + b"\r\ndata",
    "measured": HEAD + b"Content-Length: 100\r\n\r\ndata",
}


@pytest.fixture
def frozen():
    """A listening socket that nothing accepts from: the system completes the connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def url_of(listener):
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_deadline_ends_the_wait_for_the_head(client_of, frozen):
    with pytest.raises(BackendTimeout, match=r"did not answer GET /api/v1/models within 0.1 s"):
        get_list(client_of(url_of(frozen)), timeout=0.1)


def test_a_handshake_without_an_answer_is_a_failed_connection(client_of, frozen):
    client = client_of(f"https://127.0.0.1:{frozen.getsockname()[1]}", connect_timeout=0.1)
    with pytest.raises(BackendUnavailable, match=r"no answer to the handshake.*use http:// if"):
        get_list(client, timeout=5)


def test_total_timeout_ends_the_sending_of_a_large_prompt(client_of, frozen):
    client = client_of(url_of(frozen))
    call = BackendCall(total_timeout=0.1)
    with client.watchdog.watch(call), pytest.raises(BackendTimeout):
        post(client, call, LARGE)
    assert client.open_connections == 0


def test_disconnect_ends_the_sending_of_a_large_prompt(client_of, frozen):
    client = client_of(url_of(frozen))
    gone = threading.Event()
    call = BackendCall(gone.is_set)
    with client.watchdog.watch(call), ThreadPoolExecutor(1) as pool:
        sending = pool.submit(post, client, call, LARGE)
        connection, _ = frozen.accept()
        with connection:
            connection.recv(1)
            gone.set()
            with pytest.raises(ClientDisconnected):
                sending.result()
    assert client.open_connections == 0


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_disconnect_ends_the_wait_for_the_rest_of_a_body(client_of, frozen, body):
    client = client_of(url_of(frozen))
    gone = threading.Event()
    call = BackendCall(gone.is_set)
    with client.watchdog.watch(call), ThreadPoolExecutor(1) as pool:
        opening = pool.submit(post, client, call)
        connection, _ = frozen.accept()
        with connection:
            connection.sendall(body)
            with opening.result() as answer:
                assert answer.read() == b"data"
                gone.set()
                with pytest.raises(ClientDisconnected):
                    answer.read()


@pytest.mark.parametrize("blocking_call", [lambda sock: sock.recv(1), lambda sock: sock.sendall(LARGE)])
def test_repeated_aborts_end_a_blocked_call(until, blocking_call):
    ours, theirs = socket.socketpair()
    with ours, theirs, ThreadPoolExecutor(1) as pool:
        call = pool.submit(blocking_call, ours)

        def is_ended():
            abort_socket(ours)
            return call.done()

        until(is_ended)
