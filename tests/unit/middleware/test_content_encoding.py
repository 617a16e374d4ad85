"""Compressed request bodies: decoded piece by piece, within the limit, or refused with the right status."""

from __future__ import annotations

import gzip
import os
import sys
import tracemalloc
import zlib
from functools import partial

import brotli
import pytest

from flask_shim.errors import BadRequest, BodyTooLarge, UnsupportedEncoding
from flask_shim.middleware.content_encoding import MAX_PARTS, DecodedStream, decode

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LIMIT = 10_000_000
MIB = 1024 * 1024


def raw_deflate(data):
    encoder = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return encoder.compress(data) + encoder.flush()


ENCODERS = {
    "zstd": zstd.compress,
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
    "br": partial(brotli.compress, quality=1),
}
BODIES = {
    "nothing": b"",
    "an object": b'{"model": "tiny"}',
    "noise": os.urandom(300_000),
    "hexadecimal digits": os.urandom(300_000).hex().encode(),
    "zeros": bytes(5_000_000),
}


def decoded(data, header, limit=LIMIT, size=65_536):
    pieces = (data[start : start + size] for start in range(0, len(data), size))
    return b"".join(decode(pieces, header, limit))


@pytest.mark.parametrize("size", [1000, 65_536])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("name", ENCODERS)
def test_body_is_decoded_whatever_its_pieces(name, body, size):
    assert decoded(ENCODERS[name](body), name, size=size) == body


@pytest.mark.parametrize("name", ENCODERS)
def test_body_may_arrive_byte_by_byte(name):
    assert decoded(ENCODERS[name](b'{"a": 1}'), name, size=1) == b'{"a": 1}'


@pytest.mark.parametrize(
    ("header", "encoders"),
    [
        ("gzip, zstd", ("gzip", "zstd")),
        ("ZSTD,identity , GZip", ("zstd", "gzip")),
        ("br, deflate, gzip", ("br", "deflate", "gzip")),
        ("identity", ()),
    ],
)
def test_several_encodings_are_undone_in_reverse_order(header, encoders):
    data = b"hello"
    for name in encoders:
        data = ENCODERS[name](data)
    assert decoded(data, header) == b"hello"


@pytest.mark.parametrize("name", ["zstd", "gzip"])
def test_several_frames_or_members_are_one_body(name):
    encode = ENCODERS[name]
    assert decoded(encode(b"a") + encode(b"") + encode(b"b"), name) == b"ab"


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("damage", [lambda d: d[:-1], lambda d: d[:9], lambda d: b"", lambda d: d + b"junk"])
def test_broken_body_is_a_bad_request(name, damage):
    with pytest.raises(BadRequest, match=f"^request body is not valid {name.lower()}$"):
        decoded(damage(ENCODERS[name](os.urandom(1000))), name)


@pytest.mark.parametrize("name", ENCODERS)
def test_plain_json_is_not_accepted_as_an_encoded_body(name):
    with pytest.raises(BadRequest, match="not valid"):
        decoded(b'{"model": "tiny"}', name)


@pytest.mark.parametrize("name", ["zstd", "gzip"])
def test_endless_empty_frames_or_members_are_rejected(name):
    with pytest.raises(BadRequest, match="not valid"):
        decoded(ENCODERS[name](b"") * (MAX_PARTS + 1), name)


def test_zstd_window_beyond_the_standard_is_rejected():
    wide = {zstd.CompressionParameter.window_log: 27}
    with pytest.raises(BadRequest, match="not valid zstd"):
        decoded(zstd.compress(os.urandom(9 * MIB), options=wide), "zstd", limit=16 * MIB)


@pytest.mark.parametrize("name", ENCODERS)
def test_limit_counts_decoded_bytes(name):
    body = ENCODERS[name](bytes(LIMIT))
    assert len(decoded(body, name)) == LIMIT
    with pytest.raises(BodyTooLarge, match="at most 9999999 bytes"):
        decoded(body, name, limit=LIMIT - 1)


@pytest.mark.parametrize("name", ENCODERS)
def test_bomb_is_rejected_without_being_expanded(name):
    bomb = ENCODERS[name](bytes(16 * MIB))
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge):
            decoded(bomb, name, limit=MIB)
        assert tracemalloc.get_traced_memory()[1] < 4 * MIB
    finally:
        tracemalloc.stop()


def test_limit_holds_between_two_encodings():
    bomb = gzip.compress(gzip.compress(bytes(16 * MIB)) * 20)
    with pytest.raises(BodyTooLarge):
        decoded(bomb, "gzip, gzip", limit=MIB)


@pytest.mark.parametrize("header", ["compress", "gzip, aws-chunked", "gzip;q=1", "x" * 1000, ", ".join(["gzip"] * 4)])
def test_unknown_or_too_many_encodings_are_unsupported(header):
    with pytest.raises(UnsupportedEncoding, match="not supported") as caught:
        decoded(b"", header)
    assert caught.value.status == 415
    assert len(caught.value.text) < 150


def test_stream_gives_all_bytes_for_reads_of_any_size():
    stream = DecodedStream(iter([b"ab", b"", b"cdef", b"g"]))
    assert [stream.read(3), stream.read(3), stream.read(1), stream.read()] == [b"ab", b"cde", b"f", b"g"]
    assert stream.read() == b""
