"""How much work one read of a hostile client makes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cuts import PLACES, cut
from waitress.adjustments import Adjustments

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
