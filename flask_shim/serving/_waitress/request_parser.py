"""waitress' request parser, strict: no ambiguous lengths, no work that grows with the square of hostile input."""

from __future__ import annotations

import re
from typing import Any

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.receiver import ChunkedReceiver
from waitress.utilities import BadRequest

MAX_CHUNK_LINE = 4096
MAX_TRAILER = 32_768

CHUNKED_READ = 4096
"""Bytes of a chunked body given to waitress at a time: it copies the rest of the data for every chunk in it."""

_TRANSFER_ENCODING = re.compile(rb"^transfer-encoding:", re.IGNORECASE | re.MULTILINE)


class RequestParser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    """Reject ambiguous lengths (request smuggling, RFC 9112 section 6.3) and bound the work per read."""

    path = ""  # waitress logs it even for requests without a request line
    body_rcv: Any

    def received(self, data: bytes) -> int:
        """Parse ``data``; return how many bytes belong to this request."""
        if blank := self._skip_blank_lines(data):
            return blank
        piece = data[:CHUNKED_READ] if isinstance(self.body_rcv, ChunkedReceiver) else data
        try:
            consumed: int = super().received(piece)
        except ValueError:  # waitress does not catch invalid targets and lengths of thousands of digits
            return self._reject("Invalid target or length", data)
        if _is_endless(self.body_rcv):
            return self._reject("Chunk line or trailer too long", data)
        if self.error is not None:
            self.expect_continue = False  # the final status replaces 100 Continue (RFC 9110 section 10.1.1)
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the head; raise ParsingError if it declares the length of the body twice."""
        super().parse_header(header_plus)
        count = len(_TRANSFER_ENCODING.findall(header_plus))
        if count > 1 or (count and (self.version != "1.1" or "CONTENT_LENGTH" in self.headers)):
            raise ParsingError("Ambiguous length")

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
