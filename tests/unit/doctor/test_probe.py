"""What the doctor hears of servers that answer badly or not at all."""

from __future__ import annotations

import gzip
import socket

import pytest
from support.answers import reads, replies
from support.ports import unused_port

from flask_shim.doctor import probe
from flask_shim.doctor.probe import Prober


def asked(url, **more):
    with Prober(url) as prober:
        return prober.ask("GET", "/", **more)


def test_response_is_read_whole(socket_server):
    response = asked(socket_server(reads(replies({"a": 1}, x_more="b"))).url)
    assert (response.status, response.json, response.headers["x-more"], response.fault) == (200, {"a": 1}, "b", "")


def test_arrivals_of_lines_are_recorded_separately(socket_server):
    def drip(peer):
        peer.head(transfer_encoding="chunked")
        for _ in range(3):
            peer.chunk(b"a")
            peer.pause(0.05)
        peer.chunk(b"")

    response = asked(socket_server(reads(drip)).url)
    assert response.body == b"aaa"
    assert len(response.arrivals) == 3
    assert response.arrivals[2] - response.arrivals[0] > 0.05


def test_compressed_answer_is_read(socket_server):
    answer = replies(gzip.compress(b"{}"), content_encoding="gzip")
    assert asked(socket_server(reads(answer)).url).json == {}


def test_request_has_no_headers_but_those_given(socket_server):
    server = socket_server(reads(replies({})))
    with Prober(server.url) as prober:
        prober.ask("POST", "/api/chat", headers={"X-Mine": "1"}, body={"a": 1})
    (request,) = server.asked
    assert set(request.headers) - {"host", "connection", "accept-encoding", "user-agent"} == {
        "x-mine",
        "content-length",
    }
    assert request.json == {"a": 1}


def test_redirect_is_not_followed(socket_server):
    response = asked(socket_server(reads(replies("", "302 Found", location="http://192.0.2.1/"))).url)
    assert (response.status, response.headers["location"]) == (302, "http://192.0.2.1/")


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        (lambda peer: peer.reset(), "the connection broke"),
        (reads(lambda peer: peer.send(b"\x00\xff not HTTP")), "the connection broke"),
        (reads(lambda peer: peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")), "the connection broke"),
        (reads(lambda peer: peer.hold()), "no answer within 0.2 s"),
        (reads(lambda peer: (peer.head(content_length=9), peer.hold())), "no answer within 0.2 s"),
    ],
)
def test_failure_has_a_short_text(socket_server, script, fault):
    assert asked(socket_server(script).url, seconds=0.2).fault == fault


def test_no_listener_is_a_refused_connection():
    response = asked(f"http://127.0.0.1:{unused_port()}")
    assert (response.status, response.fault) == (0, "connection refused")


def test_unknown_host_name_is_reported(monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert asked("http://shim.invalid").fault == "the name can't be looked up"


def test_answer_without_end_is_cut(socket_server, monkeypatch):
    monkeypatch.setattr(probe, "MOST_BYTES", 1000)

    def endless(peer):
        peer.head(transfer_encoding="chunked")
        while True:
            peer.chunk(b"a" * 500)

    assert asked(socket_server(reads(endless)).url).fault == "it does not end"
