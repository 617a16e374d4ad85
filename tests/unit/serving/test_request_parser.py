"""How much work one read of a hostile client makes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chunks import PLACES, cut
from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser

from flask_shim.serving._waitress.request_parser import CHUNKED_READ, RequestParser

HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


def parsed(*pieces):
    """Return the requests in these reads as a connection makes them, and how often a parser was called."""
    parser, requests, calls = RequestParser(Adjustments()), [], 0
    for piece in pieces:
        while piece:
            consumed = parser.received(piece)
            calls += 1
            piece = piece[consumed:]
            if parser.completed:
                if not parser.empty:
                    requests.append(parser)
                parser = RequestParser(Adjustments())
    return requests, calls


def body_of(request):
    return request.get_body_stream().read()


def test_empty_lines_before_a_request_are_taken_together():
    requests, calls = parsed(b"\r\n" * 30_000 + b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert [request.path for request in requests] == ["/x"]
    assert calls == 2


def test_https_is_refused_without_waiting_for_a_line_end():
    [request], _ = parsed(b"\x16\x03\x01\x02\x00\x01")
    assert (request.error.code, request.error.body) == (400, "HTTPS on a port for HTTP")


def test_small_chunks_are_copied_only_a_few_at_a_time():
    [request], calls = parsed(HEAD + b"1\r\na\r\n" * 10_000 + b"0\r\n\r\n")
    assert body_of(request) == b"a" * 10_000
    assert calls >= 60_000 / CHUNKED_READ


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=5), st.integers(0, 3), PLACES)
def test_chunked_bodies_are_the_same_however_they_arrive(chunks, blank, places):
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    stream = b"\r\n" * blank + HEAD + body
    requests, _ = parsed(*cut(stream + stream, places))
    assert [body_of(request) for request in requests] == [b"".join(chunks)] * 2


@pytest.mark.parametrize("line", [b"x" * 5000, b"1;" + b"x" * 5000])
def test_a_chunk_line_that_never_ends_is_refused(line):
    [request], _ = parsed(HEAD + line)
    assert "too long" in request.error.body


PLAIN = ["Host: a", "HOST:b", "X-A: \xe9 x\t", "x-a:", "Cookie: a=b; c", "Connection: Close", "Content-Length: 3"]
ODD = [
    "A_b: c",
    "Content-Length: x",
    "Content-Length: 007",
    "Expect: 100-continue",
    " folded",
    "X : y",
    "X: \0",
    "X: a\rb",
]
FIELDS = st.sampled_from([*PLAIN, *ODD])
TARGETS = ["/", "/a%20b%ff?c=%20", "//a", "/a//b?", "/a#b", "http://h:1/p?q", "/a b", "/\xe9", "*", "a", "/a?b?c[;"]


@given(st.sampled_from(TARGETS), st.lists(FIELDS, max_size=5), st.sampled_from(["GET", "get", "M-S"]))
def test_a_head_is_read_as_waitress_reads_it(target, fields, method):
    head = "\r\n".join([f"{method} {target} HTTP/1.1", *fields, "", ""]).encode("latin-1")
    ours, theirs = RequestParser(Adjustments()), HTTPRequestParser(Adjustments())
    try:
        theirs.received(head)
    except ValueError:
        theirs.error = "invalid"
    ours.received(head)
    assert bool(ours.error) == bool(theirs.error)
    if not ours.error:
        names = "command request_uri version proxy_scheme proxy_netloc path query fragment url_scheme headers"
        for name in [*names.split(), "connection_close", "content_length", "completed", "expect_continue"]:
            assert getattr(ours, name) == getattr(theirs, name), name
        assert type(ours.body_rcv) is type(theirs.body_rcv)
