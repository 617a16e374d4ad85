"""Decode compressed request bodies (RFC 9110 section 8.4) while they are read; Codex sends zstd by default."""

from __future__ import annotations

import io
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

import brotli
from werkzeug.wsgi import get_input_stream

from flask_shim.errors import BadRequest, BodyTooLarge, UnsupportedEncoding

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Pieces = Iterator[bytes]

PIECE = 65_536
"""Bytes that one step reads or decodes, so that a bomb is found out before it is expanded."""

MAX_ENCODINGS = 3

MAX_PARTS = 1000
"""Gzip members (RFC 1952 section 2.2) or zstd frames (RFC 8878 section 3.1) of one body; empty ones cost time only."""

_ZSTD_OPTIONS = {int(zstd.DecompressionParameter.window_log_max): 23}
"""The window of 8 MiB that RFC 9659 allows."""


def decode_input(environ: WSGIEnvironment, limit: int) -> None:
    """Replace the input of a request by a stream that decodes its content encoding, if any, up to ``limit`` bytes.

    Nothing is read yet: routes that read no body, and paths that do not exist, ignore the encoding.
    """
    header = environ.pop("HTTP_CONTENT_ENCODING", "")
    body = get_input_stream(environ, max_content_length=limit + 1)
    environ["wsgi.input"] = DecodedStream(decode(iter(partial(body.read, PIECE), b""), header, limit))
    environ["wsgi.input_terminated"] = True
    environ.pop("CONTENT_LENGTH", None)


class DecodedStream(io.RawIOBase):
    """A readable stream of pieces."""

    def __init__(self, pieces: Pieces) -> None:
        """Read from ``pieces``."""
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # as in typeshed's subclasses
        """Fill the buffer from the next piece; return how many bytes were written, 0 at the end."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def decode(pieces: Pieces, header: str, limit: int) -> Pieces:
    """Yield the decoded body; ``header`` names its encodings in the order in which they were applied.

    Raises UnsupportedEncoding, BadRequest for a body that does not have its encoding, and BodyTooLarge for more than
    ``limit`` bytes after any of the steps.
    """
    names = [name for name in (part.strip().lower() for part in header.split(",")) if name not in ("", "identity")]
    if unknown := [name for name in names if name not in _DECODERS]:
        supported = UnsupportedEncoding.supported
        raise UnsupportedEncoding(f"content encoding is not supported: {unknown[0][:40]}; supported: {supported}")
    if len(names) > MAX_ENCODINGS:
        raise UnsupportedEncoding(f"more than {MAX_ENCODINGS} content encodings are not supported")
    for name in reversed(names or ["identity"]):
        pieces = _within(limit, _DECODERS[name](pieces), name)
    yield from pieces


def _within(limit: int, pieces: Pieces, name: str) -> Pieces:
    size = 0
    try:
        for piece in pieces:
            size += len(piece)
            if size > limit:
                raise BodyTooLarge(f"request body is too large: at most {limit} bytes (see SHIM_MAX_REQUEST_BYTES)")
            yield piece
    except (zlib.error, zstd.ZstdError, brotli.error, EOFError) as exc:
        raise BadRequest(f"request body is not valid {name}") from exc


def _inflate(wbits: int, pieces: Iterable[bytes]) -> Pieces:
    decoder, parts = zlib.decompressobj(wbits), 1
    for piece in pieces:
        rest = piece
        while rest and parts <= MAX_PARTS:
            if decoder.eof:
                decoder, parts = zlib.decompressobj(wbits), parts + 1
            yield decoder.decompress(rest, PIECE)
            rest = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
    yield decoder.flush()
    if not decoder.eof or parts > MAX_PARTS:
        raise EOFError


def _decode_deflate(pieces: Pieces) -> Pieces:
    """Decode zlib's format, or the bare deflate stream that some clients send (RFC 9110 section 8.4.1.2)."""
    first = next(pieces, b"")
    is_zlib = bool(first) and first[0] & 0x0F == zlib.DEFLATED
    return _inflate(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS, chain((first,), pieces))


def _decode_zstd(pieces: Pieces) -> Pieces:
    decoder, parts = zstd.ZstdDecompressor(options=_ZSTD_OPTIONS), 1
    for piece in pieces:
        rest = piece
        while (rest or not (decoder.needs_input or decoder.eof)) and parts <= MAX_PARTS:
            if decoder.eof:
                decoder, parts = zstd.ZstdDecompressor(options=_ZSTD_OPTIONS), parts + 1
            yield decoder.decompress(rest, PIECE)
            rest = decoder.unused_data if decoder.eof else b""
    if not decoder.eof or parts > MAX_PARTS:
        raise EOFError


def _decode_brotli(pieces: Pieces) -> Pieces:
    decoder = brotli.Decompressor()
    for piece in pieces:
        decoded = decoder.process(piece, output_buffer_limit=PIECE)
        while decoded or not decoder.can_accept_more_data():
            yield decoded
            decoded = decoder.process(b"", output_buffer_limit=PIECE)
    if not decoder.is_finished():
        raise EOFError


_DECODERS: dict[str, Callable[[Pieces], Pieces]] = {
    "identity": iter,
    "zstd": _decode_zstd,
    "gzip": partial(_inflate, zlib.MAX_WBITS | 16),
    "x-gzip": partial(_inflate, zlib.MAX_WBITS | 16),  # RFC 9110 section 8.4.1.3
    "deflate": _decode_deflate,
    "br": _decode_brotli,
}
