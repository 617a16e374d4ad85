"""Clients that send a large body to its end before they read: they get the 413, not a connection reset."""

from __future__ import annotations

import http.client
import socket
import urllib.error
import urllib.request

import pytest
from support.demo import Shim

LIMIT = 1_000_000
BODY = b'{"model": "tiny", "prompt": "' + b"x" * (6 * LIMIT) + b'"}'
TIMES = 50


@pytest.fixture
def shim(tmp_path):
    with Shim("http://127.0.0.1:9", tmp_path, max_request_bytes=LIMIT) as running:
        yield running


def with_http_client(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", "/api/generate", BODY, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def with_urllib(port):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/generate", BODY)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=20)
    with caught.value as response:
        return response.status, response.read()


def _raw(port, head, body):
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n\r\n" + body)
        received = b""
        while block := connection.recv(65536):
            received += block
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def with_socket(port):
    return _raw(port, b"Content-Length: %d" % len(BODY), BODY)


def with_chunks(port):
    chunk = BODY[:60_000]
    chunks = b"%x\r\n%b\r\n" % (len(chunk), chunk) * 100
    return _raw(port, b"Transfer-Encoding: chunked", chunks + b"0\r\n\r\n")


@pytest.mark.parametrize("send", [with_http_client, with_urllib, with_socket, with_chunks])
def test_every_client_reads_the_413(shim, send):
    for _ in range(TIMES):
        status, body = send(shim.port)
        assert status == 413
        assert b"SHIM_MAX_REQUEST_BYTES" in body


def send_without_end(connection):
    while True:
        connection.sendall(b"x" * LIMIT)


def test_a_client_that_never_stops_sending_is_disconnected(shim, monkeypatch):
    monkeypatch.setattr("flask_shim.serving._waitress.channel.LINGER_BYTES", LIMIT)
    with socket.create_connection(("127.0.0.1", shim.port), 20) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            send_without_end(connection)


def test_a_client_that_stops_without_closing_is_disconnected(shim, monkeypatch):
    monkeypatch.setattr("flask_shim.serving._waitress.channel.LINGER_SECONDS", 0.1)
    with socket.create_connection(("127.0.0.1", shim.port), 20) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n")
        while connection.recv(65536):
            pass
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            send_without_end(connection)
