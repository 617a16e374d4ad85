"""waitress' request parser, strict: no ambiguous lengths, no work that grows with the square of hostile input."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from waitress.buffers import BytesIOBasedBuffer, OverflowableBuffer
from waitress.parser import HTTPRequestParser, ParsingError, unquote_bytes_to_wsgi
from waitress.receiver import ChunkedReceiver, FixedStreamReceiver
from waitress.utilities import BadRequest

MAX_CHUNK_LINE = 4096
MAX_TRAILER = 32_768

CHUNKED_READ = 4096
"""Bytes of a chunked body given to waitress at a time: it copies the rest of the data for every chunk in it."""

_TLS_HANDSHAKE = b"\x16\x03"
"""The type and the major version of a client's first record (RFC 8446 section 5.1)."""

_PLAIN_HEAD = re.compile(
    r"([A-Z]+) ((/(?!/)[!\"$->@-~]*)(?:\?([!\"$-~]*))?) HTTP/1\.1\r\n"
    r"((?:[!#$%&'*+\-.^`|~0-9A-Za-z]+:[\t -~\x80-\xff]*\r\n)*)\r\n"
)
"""The head that nearly all clients send: method, target, path, query, fields. Names with ``_`` are left to waitress."""
_FIELD = re.compile(r"([^:]+):[\t ]*([^\r]*)\r\n")
_SPECIAL = frozenset({"TRANSFER_ENCODING", "EXPECT"})

_TRANSFER_ENCODING = re.compile(rb"^transfer-encoding:", re.IGNORECASE | re.MULTILINE)


@lru_cache(maxsize=256)
def _key(name: str) -> str:
    return name.upper().replace("-", "_")


class RequestParser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    """Reject ambiguous lengths (request smuggling, RFC 9112 section 6.3) and bound the work per read."""

    path = ""  # waitress logs it even for requests without a request line
    proxy_scheme = proxy_netloc = fragment = ""
    headers: dict[str, str]
    body_rcv: Any

    def received(self, data: bytes) -> int:
        """Parse ``data``; return how many bytes belong to this request."""
        if blank := self._skip_blank_lines(data):
            return blank
        if self.body_rcv is None and not self.header_plus and data.startswith(_TLS_HANDSHAKE):
            return self._reject("HTTPS on a port for HTTP", data)  # it may have no line end to wait for
        piece = data[:CHUNKED_READ] if isinstance(self.body_rcv, ChunkedReceiver) else data
        try:
            consumed: int = super().received(piece)
        except ValueError:  # waitress does not catch invalid targets and lengths of thousands of digits
            return self._reject("Invalid target or length", data)
        if _is_endless(self.body_rcv):
            return self._reject("Chunk line or trailer too long", data)
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the head; raise ParsingError if it declares the length of the body twice."""
        if self._parse_plain(header_plus.decode("latin-1")):
            return
        self.headers.clear()
        super().parse_header(header_plus)
        count = len(_TRANSFER_ENCODING.findall(header_plus))
        if count > 1 or (count and (self.version != "1.1" or "CONTENT_LENGTH" in self.headers)):
            raise ParsingError("Ambiguous length")

    def _parse_plain(self, head: str) -> bool:
        """Do what waitress does with a plain head, in a third of its time; return False if it is not plain."""
        if (match := _PLAIN_HEAD.fullmatch(head)) is None:
            return False
        self.command, self.request_uri, path, query, fields = match.groups("")
        headers = self.headers
        for name, value in _FIELD.findall(fields):
            key, text = _key(name), value.rstrip(" \t")
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
        length = headers.get("CONTENT_LENGTH", "0")
        if not (length.isascii() and length.isdigit() and _SPECIAL.isdisjoint(headers)):
            return False
        self.version = "1.1"
        self.path = unquote_bytes_to_wsgi(path) if "%" in path else path
        self.query = query
        self.url_scheme = self.adj.url_scheme
        self.connection_close = headers.get("CONNECTION", "").lower() == "close"
        self.content_length = int(length)
        if self.content_length:
            most = self.adj.inbuf_overflow
            buffer = BytesIOBasedBuffer() if self.content_length <= most else OverflowableBuffer(most)
            self.body_rcv = FixedStreamReceiver(self.content_length, buffer)
        return True

    def _skip_blank_lines(self, data: bytes) -> int:
        """Skip all blank lines before a request in one step: waitress copies the rest of the data for each."""
        if self.headers_finished or self.header_plus:
            return 0
        blank = len(data) - len(data.lstrip(b"\r\n"))
        if blank:
            self.empty = self.completed = True
        return blank

    def _reject(self, reason: str, data: bytes) -> int:
        self.error = BadRequest(reason)
        self.completed = True
        return len(data)


def _is_endless(receiver: object) -> bool:
    return isinstance(receiver, ChunkedReceiver) and (
        len(receiver.control_line) > MAX_CHUNK_LINE or len(receiver.trailer) > MAX_TRAILER
    )
