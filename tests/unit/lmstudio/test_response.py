"""Bodies are read whatever their framing, as they arrive, and never taken for whole when they are not."""

from __future__ import annotations

import gzip
import json
import threading

import pytest
from support.answers import reads, replies
from support.transport_requests import get_list, post, read_body

from flask_shim.lmstudio.errors import BackendError, BackendProtocolError


def chunked(*blocks, ends=True):
    def answer(peer):
        peer.head(content_type="application/json", transfer_encoding="chunked")
        for block in blocks:
            peer.chunk(block)
        if ends:
            peer.chunk(b"")
        peer.sock.close()

    return answer


def until_closed(*blocks):
    def answer(peer):
        peer.head(content_type="application/json", connection="close")
        for block in blocks:
            peer.send(block)
        peer.sock.close()

    return answer


def measured(*blocks, missing=0):
    def answer(peer):
        peer.head(content_type="application/json", content_length=sum(map(len, blocks)) + missing)
        for block in blocks:
            peer.send(block)
        if missing:
            peer.sock.close()

    return answer


FRAMINGS = [chunked, until_closed, measured]


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("blocks", [(b'{"a":', b"1}"), (), (b"x" * 300_000, b"\r\n0\r\n\r\n")])
def test_a_body_is_read_whatever_its_framing(client_of, socket_server, framing, blocks):
    server = socket_server(reads(framing(*blocks)))
    assert read_body(client_of(server.url)) == b"".join(blocks)


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_block_is_there_as_soon_as_it_was_sent(client_of, socket_server, framing):
    seen = threading.Event()

    class Second(bytes):
        """Bytes that are sent only when the first ones have been read."""

    def wait(block):
        if isinstance(block, Second):
            assert seen.wait(5)
        return block

    def script(peer):
        send, chunk = peer.send, peer.chunk
        peer.send = lambda data: send(wait(data))
        peer.chunk = lambda data: chunk(wait(data))
        framing(b"first", Second(b"second"))(peer)

    server = socket_server(reads(script))
    with post(client_of(server.url)) as answer:
        assert answer.read() == b"first"
        seen.set()
        assert answer.read_all(100) == b"second"


CUT = {
    "chunked": chunked(b'{"a":', ends=False),
    "measured": measured(b'{"a":', missing=7),
    "in the middle of a chunk": lambda peer: (
        peer.head(transfer_encoding="chunked"),
        peer.send(b'9\r\n{"a"'),
        peer.sock.close(),
    ),
    "reset": lambda peer: (peer.head(content_length=10), peer.send(b"{"), peer.reset()),
}


@pytest.mark.parametrize("answer", CUT.values(), ids=CUT.keys())
def test_a_body_that_is_cut_is_never_taken_for_whole(client_of, socket_server, answer):
    server = socket_server(reads(answer))
    with pytest.raises(BackendProtocolError, match="connection lost: LM Studio closed it"):
        read_body(client_of(server.url))
    server = socket_server(reads(answer))
    with pytest.raises(BackendProtocolError):
        get_list(client_of(server.url))


GARBLED = {
    "no number": b"zz\r\nhello",
    "negative": b"-1\r\nhello",
    "longer than its size": b"2\r\nhello\r\n0\r\n\r\n",
    "endless size line": b"1;" + b"x" * 100_000,
    "no chunks at all": b'data: {"choices":[]}\n\n',
}


@pytest.mark.parametrize("sent", GARBLED.values(), ids=GARBLED.keys())
def test_malformed_chunks_are_an_error(client_of, socket_server, sent):
    server = socket_server(
        reads(lambda peer: (peer.head(transfer_encoding="chunked"), peer.send(sent), peer.sock.close()))
    )
    with pytest.raises(BackendProtocolError):
        read_body(client_of(server.url))


NO_JSON = {
    "a web page": replies("<html>Welcome to nginx!</html>", content_type="text/html"),
    "nothing": replies(""),
    "half an object": replies('{"models": ['),
}


@pytest.mark.parametrize("answer", NO_JSON.values(), ids=NO_JSON.keys())
def test_what_is_no_json_is_the_backends_fault_and_never_shown(client_of, socket_server, answer):
    server = socket_server(reads(answer))
    with pytest.raises(BackendProtocolError, match=r"^LM Studio's answer is not JSON$"):
        get_list(client_of(server.url))


def test_an_error_with_status_200_is_an_error(client_of, socket_server):
    server = socket_server(reads(replies({"error": "Something else"})))
    with pytest.raises(BackendError, match="Something else"):
        get_list(client_of(server.url))


def test_a_compressed_body_is_refused_without_being_unpacked(client_of, socket_server):
    bomb = gzip.compress(json.dumps({"models": ["x" * 10_000_000]}).encode())
    server = socket_server(reads(replies(bomb, content_encoding="gzip")))
    with pytest.raises(BackendProtocolError, match="encoded with gzip though nothing was asked for"):
        get_list(client_of(server.url))


def test_an_answer_that_is_too_long_is_given_up_in_the_middle(client_of, socket_server):
    sent = []

    def answer(peer):
        peer.head(content_type="application/json", transfer_encoding="chunked")
        while True:
            peer.chunk(b"x" * 10_000)
            sent.append(1)

    server = socket_server(reads(answer))
    with pytest.raises(BackendProtocolError, match="longer than 50000 bytes"):
        get_list(client_of(server.url, max_answer_bytes=50_000))
    server.until(lambda: server.gone)
    assert len(sent) < 5000
