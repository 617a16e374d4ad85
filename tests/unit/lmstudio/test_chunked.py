"""Chunked framing is removed however the bytes are cut, and malformed framing is an error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chunks import PLACES, cut, one_by_one

from flask_shim.lmstudio.http.chunked import Dechunker, FramingError

PIECES = st.lists(st.binary(min_size=1, max_size=40), max_size=6)
EXTENSIONS = st.sampled_from([b"", b";a=1", b' ; name="v"'])
TRAILERS = st.sampled_from([b"", b"Expires: never\r\n", b"A: 1\r\nB: 2\r\n"])


def framed(pieces, extension=b"", trailers=b""):
    chunks = [b"%X%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces]
    return b"".join([*chunks, b"0", extension, b"\r\n", trailers, b"\r\n"])


def payload_of(blocks):
    dechunker = Dechunker()
    return b"".join(map(dechunker.feed, blocks)), dechunker.is_done


@given(PIECES, EXTENSIONS, TRAILERS, PLACES)
def test_any_cut_gives_the_payload(pieces, extension, trailers, places):
    blocks = cut(framed(pieces, extension, trailers), places)
    assert payload_of(blocks) == (b"".join(pieces), True)


def test_single_bytes_give_the_payload():
    data = framed([b"Hello", "\u3053\u3093".encode(), b"\r\n0\r\n\r\n"], trailers=b"A: 1\r\n")
    assert payload_of(one_by_one(data)) == (
        "Hello\u3053\u3093\r\n0\r\n\r\n".encode(),
        True,
    )


@given(PIECES, st.integers(1, 500))
def test_a_body_without_its_end_is_never_done(pieces, missing):
    data = framed(pieces)
    payload, done = payload_of([data[: -min(missing, len(data))]])
    assert not done
    assert b"".join(pieces).startswith(payload)


def test_chunks_with_line_ends_in_them_are_not_cut_there():
    pieces = [b"data: a\r\n\r\n", b"x", b"\r\n", b"1\r\ny\r\n", b"data: b\n\n"]
    assert payload_of([framed(pieces)]) == (b"".join(pieces), True)


def test_bare_line_feeds_count_as_line_ends():
    assert payload_of([b"5\nHello\n0\n\n"]) == (b"Hello", True)


def test_what_follows_the_last_chunk_is_left_alone():
    assert payload_of([framed([b"Hello"]) + b"HTTP/1.1 200 OK\r\n"]) == (b"Hello", True)


MALFORMED = {
    "no size": b"\r\n",
    "no number": b"xyz\r\n",
    "negative": b"-1\r\n",
    "signed": b"+2\r\nab\r\n",
    "prefixed": b"0x2\r\nab\r\n",
    "underscore": b"1_0\r\n",
    "digit of another script": "٢\r\n".encode(),
    "absurdly large": b"1" * 16 + b"\r\n",
    "longer than its size": b"2\r\nabc\r\n0\r\n\r\n",
    "shorter than its size": b"4\r\nab\r\n0\r\n\r\n",
    "not chunked at all": b'data: {"choices":[]}\n\n',
    "endless size line": b"1;" + b"x" * 5000,
    "endless trailer": b"0\r\nX: " + b"x" * 5000,
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_framing_is_an_error(data):
    with pytest.raises(FramingError):
        Dechunker().feed(data)


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_framing_is_an_error_however_it_is_cut(data):
    dechunker = Dechunker()
    with pytest.raises(FramingError):
        list(map(dechunker.feed, one_by_one(data)))
