"""What a connection sends at once, what it keeps, and in how many pieces."""

from __future__ import annotations

import logging
import socket
from types import SimpleNamespace

import pytest
from waitress.adjustments import Adjustments
from waitress.buffers import OverflowableBuffer
from waitress.channel import ClientDisconnected

from flask_shim.serving._waitress.channel import SEND_BYTES, Channel
from flask_shim.serving._waitress.tasks import ResponseTask


class Sockets:
    """A channel on one end of a connection, the client's socket on the other; ``sent`` is what each send got."""

    def __init__(self) -> None:
        ours, self.client = socket.socketpair()
        self.client.settimeout(5)
        self.pulls = 0
        self.sent: list[bytes] = []
        self.server = server = SimpleNamespace(
            pull_trigger=self._pull,
            active_channels={},
            changed=[],
            stream_group=None,
            adj=Adjustments(),
            logger=logging.getLogger("waitress"),
        )
        self.system_bytes = ours.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        self.channel = Channel(server, ours, ("127.0.0.1", 1), server.adj, map={})
        send = self.channel.send
        self.channel.send = lambda data, do_close=True: self._note(data, send(data, do_close))

    def _pull(self) -> None:
        self.pulls += 1

    def _note(self, data: bytes, count: int) -> int:
        self.sent.append(bytes(data[:count]))
        return count

    def fill(self) -> bytes:
        """Write until the client's side takes no more; return all that was written."""
        written = []
        while not self.channel.total_outbufs_len:
            written.append(b"%d," % len(written) * 5000)
            assert self.channel.write_soon(written[-1]) == len(written[-1])
        return b"".join(written)

    def read(self, count: int) -> bytes:
        """Read as the client, while the server's loop sends what it has."""
        got = b""
        while len(got) < count:
            if self.channel.writable():
                self.channel.handle_write()
            got += self.client.recv(1 << 20)
        return got


@pytest.fixture
def sockets():
    both = Sockets()
    yield both
    both.client.close()
    if both.channel.socket is not None:
        both.channel.handle_close()


def test_an_attempt_to_send_reads_little_of_the_buffer(sockets, monkeypatch):
    sockets.fill()
    sockets.channel.write_soon(b"x" * (SEND_BYTES + 1))
    attempts = []
    monkeypatch.setattr(sockets.channel, "send", lambda data, **_: attempts.append(len(data)))
    sockets.channel.write_soon(b"x")
    assert attempts == [min(SEND_BYTES, sockets.system_bytes)]


def test_what_the_client_reads_is_never_buffered(sockets):
    for _ in range(200):
        sockets.channel.write_soon(b"x" * 20_000)
        assert sockets.read(20_000) == b"x" * 20_000
    (buffer,) = sockets.channel.outbufs
    assert not buffer.overflowed, "a buffer that was used keeps all that went through it"
    assert not sockets.pulls


def test_what_the_client_does_not_take_waits_and_arrives_in_its_order(sockets):
    written = sockets.fill()
    assert sockets.pulls, "the rest would not be sent"
    more = b"overtaken?" * 100
    sockets.channel.write_soon(more)
    assert sockets.read(len(written + more)) == written + more
    assert not sockets.channel.total_outbufs_len


def test_a_disconnected_client_ends_the_task(sockets):
    sockets.channel.connected = False
    for data in (b"x", b""):
        with pytest.raises(ClientDisconnected):
            sockets.channel.write_soon(data)


def test_a_connection_that_broke_is_closed_by_the_loop(sockets):
    sockets.channel.socket.shutdown(socket.SHUT_WR)
    assert sockets.channel.write_soon(b"x") == 1
    assert sockets.pulls
    sockets.channel.handle_write()
    assert not sockets.channel.connected


def test_an_answer_for_which_there_is_no_room_ends_the_connection(sockets, monkeypatch, caplog):
    sockets.fill()

    def full(_, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(OverflowableBuffer, "append", full)
    with pytest.raises(ClientDisconnected):
        sockets.channel.write_soon(b"x" * 100_000)
    assert sockets.pulls
    sockets.channel.handle_write()
    assert not sockets.channel.connected
    assert "no space to buffer a response" in caplog.text


@pytest.fixture
def task(sockets):
    request = SimpleNamespace(version="1.1", headers={}, command="GET", path="/")
    made = ResponseTask(sockets.channel, request)
    made.complete = True  # as if start_response had been called
    return made


def head_of(task, sockets, block=b"x"):
    task.write(block)
    task.finish()
    return sockets.sent[0]


def test_every_block_of_a_stream_is_sent_at_once(task, sockets):
    for block in (b"one", b"", b"three"):
        task.write(block)
    task.finish()
    head, *blocks = sockets.sent
    assert b"\r\nTransfer-Encoding: chunked\r\n" in head
    assert head.endswith(b"\r\n\r\n3\r\none\r\n"), "the head leaves with the first block"
    assert blocks == [b"5\r\nthree\r\n", b"0\r\n\r\n"]


@pytest.mark.parametrize("status", ["200 OK", "204 No Content"])
def test_a_response_without_length_keeps_the_connection(task, sockets, status):
    task.status = status
    assert b"Connection:" not in head_of(task, sockets, b"x" if status == "200 OK" else b"")
    assert not task.close_on_finish


@pytest.mark.parametrize(
    ("version", "command", "connection"),
    [("1.0", "GET", ""), ("1.1", "HEAD", ""), ("1.1", "GET", "close"), ("1.1", "GET", "TE, Close")],
)
def test_a_response_whose_end_is_the_connections_end_closes_it(task, sockets, version, command, connection):
    task.version, task.request.command, task.request.headers["CONNECTION"] = version, command, connection
    assert b"\r\nConnection: close\r\n" in head_of(task, sockets, b"" if command == "HEAD" else b"x")
    assert task.close_on_finish


@pytest.mark.parametrize("length", [None, 1])
@pytest.mark.parametrize(("version", "connection"), [("1.1", ""), ("1.0", "keep-alive")])
def test_a_draining_server_closes_connections(task, sockets, version, connection, length):
    sockets.server.is_draining = True
    task.version, task.request.headers["CONNECTION"], task.content_length = version, connection, length
    head = head_of(task, sockets).lower()
    assert b"\r\nconnection: close\r\n" in head
    assert head.count(b"\r\nconnection:") == 1
    assert task.close_on_finish


def test_a_head_without_a_body_is_sent_alone(task, sockets):
    task.status = "204 No Content"
    task.write(b"")
    (packet,) = sockets.sent
    assert packet.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("header", [("X", "\u20ac"), ("X", "a\r\nSet-Cookie: b"), ("X", "a\nb"), ("X: a\r", "b")])
def test_a_head_that_cannot_be_made_leaves_the_connection_usable(task, sockets, header):
    task.response_headers = [header]
    with pytest.raises(ValueError, match=r"latin-1|line end"):
        task.write(b"{}")
    sockets.channel.write_soon(b"after")
    assert sockets.read(5) == b"after"


def run(task, sockets, headers, *blocks, status="200 OK"):
    """Run an application that answers with these headers and blocks; return what the client reads."""
    task.complete = False

    def application(_, start_response):
        start_response(status, headers)
        return iter(blocks)

    sockets.server.application = application
    task.environ = {}  # as if it had been made
    task.service()
    return sockets.read(1)


def test_a_response_is_one_piece_with_its_head(task, sockets):
    got = run(task, sockets, [("Content-Length", "2"), ("X-Request-ID", "a")], b"hi")
    assert got.startswith(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Request-Id: a\r\nDate: ")
    assert got.endswith(b" GMT\r\n\r\nhi")
    assert not task.close_on_finish


@pytest.mark.parametrize(
    ("blocks", "body", "closes"),
    [([b"abc"], b"abc", False), ([b"a"], b"a", True), ([], b"", True), ([b"ab", b"cdef"], b"abc", False)],
    ids=["all", "too few", "none", "too many"],
)
def test_the_declared_length_is_kept_or_the_connection_ends(task, sockets, blocks, body, closes):
    run(task, sockets, [("Content-Length", "3")], *blocks)
    assert b"".join(sockets.sent).partition(b"\r\n\r\n")[2] == body
    assert task.close_on_finish is closes


def test_a_head_request_gets_the_length_and_no_body(task, sockets):
    task.request.command = "HEAD"
    got = run(task, sockets, [("Content-Length", "3")], b"abc")
    assert b"\r\nContent-Length: 3\r\n" in got
    assert got.endswith(b"\r\n\r\n")
    assert not task.close_on_finish


def test_an_http_1_0_client_that_wants_to_keep_its_connection_may(task, sockets):
    task.version, task.request.headers["CONNECTION"] = "1.0", "TE, Keep-Alive"
    assert b"\r\nConnection: Keep-Alive\r\n" in run(task, sockets, [("Content-Length", "1")], b"x")
    assert not task.close_on_finish
