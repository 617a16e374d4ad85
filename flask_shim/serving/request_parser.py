"""Requests that waitress 3.0.2 takes, or stumbles over, and that a careful server refuses.

Two lengths in one request are how a second request is hidden from a front proxy; nginx refuses them too. A chunk-size
line or a trailer that never ends would be read again from its beginning with every block, and what follows a chunk or
an empty line is copied each time: all of it by the thread that serves all connections.
"""

from __future__ import annotations

import re
from typing import Any

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.receiver import ChunkedReceiver
from waitress.utilities import BadRequest

LONGEST_CHUNK_LINE = 4096
LONGEST_TRAILER = 32_768

CHUNKS_AT_ONCE = 4096
"""Bytes of a chunked body that waitress gets at a time: it copies them for each chunk in them."""

_TRANSFER_ENCODING = re.compile(rb"^transfer-encoding:", re.IGNORECASE | re.MULTILINE)


class StrictParser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    """A request as it comes in."""

    path = ""  # what waitress logs, also of requests that had none
    body_rcv: Any

    def received(self, data: bytes) -> int:
        """Take what of ``data`` belongs to the request; return how much that is."""
        if blank := self._blank_lines(data):
            return blank
        piece = data[:CHUNKS_AT_ONCE] if isinstance(self.body_rcv, ChunkedReceiver) else data
        try:
            consumed: int = super().received(piece)
        except ValueError:  # a target that is no URL, a length of thousands of digits
            return self._refuse("Invalid target or length", data)
        if _is_endless(self.body_rcv):
            return self._refuse("Chunk line or trailer too long", data)
        if self.error is not None:
            self.expect_continue = False  # who asks whether to send the body is refused, and not told to go on
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Read the head; raise ParsingError if it gives the body two lengths."""
        super().parse_header(header_plus)
        count = len(_TRANSFER_ENCODING.findall(header_plus))
        if count > 1 or (count and (self.version != "1.1" or "CONTENT_LENGTH" in self.headers)):
            raise ParsingError("Ambiguous length")

    def _blank_lines(self, data: bytes) -> int:
        """Take all empty lines before a request together; return how many bytes they have."""
        if self.headers_finished or self.header_plus:
            return 0
        blank = len(data) - len(data.lstrip(b"\r\n"))
        if blank:
            self.empty = self.completed = True  # a request of its own that asks for nothing
        return blank

    def _refuse(self, why: str, data: bytes) -> int:
        self.error = BadRequest(why)
        self.completed = True
        return len(data)


def _is_endless(receiver: object) -> bool:
    return isinstance(receiver, ChunkedReceiver) and (
        len(receiver.control_line) > LONGEST_CHUNK_LINE or len(receiver.trailer) > LONGEST_TRAILER
    )
