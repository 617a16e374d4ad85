"""Heads are written and parsed as RFC 9112 says, and refused where the end of a response would be a guess."""

from __future__ import annotations

import pytest

from flask_shim.lmstudio.http.http11 import END_OF_HEAD, MAX_HEADERS, MalformedHead, format_head, parse_head

OK = b"HTTP/1.1 200 OK\r\n"


def parsed(head, method="POST"):
    return parse_head(head.removesuffix(b"\r\n"), method)


def test_request_head_is_written_as_it_is_sent():
    head = format_head("POST", "/v1/x?a=%20", "box:1", {"Content-Length": "2", "X-Name": "caf\xe9"})
    assert head == b"POST /v1/x?a=%20 HTTP/1.1\r\nHost: box:1\r\nContent-Length: 2\r\nX-Name: caf\xe9\r\n\r\n"


@pytest.mark.parametrize("value", ["a\r\nX: b", "a\nb", "a\rb", "\u3042"])
def test_header_that_would_end_its_line_is_refused(value):
    with pytest.raises(ValueError):  # noqa: PT011
        format_head("GET", "/", "box", {"X": value})


def test_status_and_headers_are_read():
    head = parsed(
        OK + b"content-type:text/event-stream \r\nX-Empty:\r\nX-Name: caf\xe9: 1\r\nTransfer-Encoding: chunked\r\n"
    )
    assert (head.status, head.is_chunked, head.length, head.keeps_alive) == (200, True, None, True)
    assert head.headers == {
        "Content-Type": "text/event-stream",
        "X-Empty": "",
        "X-Name": "café: 1",
        "Transfer-Encoding": "chunked",
    }


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        (b"X: a\r\nx: b\r\n", "a, b"),
        (b"X: a\r\n  b\r\n\tc\r\n", "a b c"),
        (b"X: a\nY: c\n", "a"),
    ],
    ids=["repeated", "folded", "bare line feeds"],
)
def test_other_spellings_of_headers_are_accepted(lines, value):
    assert parsed(OK + lines.removesuffix(b"\n")).headers["X"] == value


@pytest.mark.parametrize(
    ("head", "keeps_alive"),
    [
        (OK + b"Content-Length: 2\r\n", True),
        (OK + b"Content-Length: 2\r\nConnection: Close\r\n", False),
        (OK + b"Content-Length: 2\r\nConnection: x, close\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: Keep-Alive\r\n", True),
        (OK + b"Server: x\r\n", False),
        (OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", False),
    ],
)
def test_connection_is_kept_only_if_both_sides_agree_on_the_end(head, keeps_alive):
    assert parsed(head).keeps_alive is keeps_alive


@pytest.mark.parametrize(
    ("head", "method", "length"),
    [
        (OK + b"Content-Length: 5\r\n", "GET", 5),
        (OK + b"Content-Length: 5, 5\r\n", "GET", 5),
        (OK + b"Content-Length: 5\r\nContent-Length: 5\r\n", "GET", 5),
        (OK + b"Content-Length: 5\r\n", "HEAD", 0),
        (OK + b"Transfer-Encoding: chunked\r\n", "HEAD", 0),
        (b"HTTP/1.1 204 No Content\r\n", "GET", 0),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n", "GET", 0),
        (b"HTTP/1.1 100 Continue\r\n", "POST", 0),
        (b"HTTP/1.1 200\r\n", "GET", None),
    ],
)
def test_length_of_the_body_is_found(head, method, length):
    assert parsed(head, method).length == length
    assert not parsed(head, method).is_chunked


@pytest.mark.parametrize(
    "head",
    [
        b"\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/2 200 OK\r\n",
        b"HTTP/1.1 OK\r\n",
        b"HTTP/1.1 2000 OK\r\n",
        b"HTTP/1.1 099 X\r\n",
        b" HTTP/1.1 200 OK\r\n",
        OK + b"no colon\r\n",
        OK + b": no name\r\n",
        OK + b"Transfer-Encoding : chunked\r\n",
        OK + b"X: a\rContent-Length: 5\r\n",
        OK + b"X: a\0b\r\n",
        OK + b"Content-Length: five\r\n",
        OK + b"Content-Length: -5\r\n",
        OK + b"Content-Length: +5\r\n",
        OK + b"Content-Length:\r\n",
        OK + b"Content-Length: 5, 6\r\n",
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n",
        OK + b"Content-Length: 1" + b"0" * 30 + b"\r\n",
        OK + b"Transfer-Encoding: gzip, chunked\r\n",
        OK + b"Transfer-Encoding: chunked, chunked\r\n",
        OK + b"X: 1\r\n" * (MAX_HEADERS + 1),
    ],
)
def test_ambiguous_head_is_refused(head):
    with pytest.raises(MalformedHead):
        parsed(head)


def test_end_of_a_head_is_its_first_blank_line():
    assert END_OF_HEAD.search(OK + b"\r\nbody\r\n\r\n").end() == len(OK) + 2
    assert END_OF_HEAD.search(OK + b"X: 1\r\n") is None
