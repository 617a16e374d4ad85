"""One request over one socket, and the answer as its bytes came: HTTP libraries smooth over what matters here."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from support.wine import SLOWNESS

TIMEOUT_SECONDS = 20.0 * SLOWNESS
DROPPED = None
"""A header with this value is not sent, also if it would be by itself."""


class Reply(NamedTuple):
    """An answer. ``headers`` are as sent, in their order; ``body`` is what they frame, ``blocks`` its chunks if any."""

    protocol: str
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    blocks: tuple[bytes, ...] | None

    def all(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for header, value in self.headers if header.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """Return the only value of a header, None when it was not sent."""
        values = self.all(name)
        assert len(values) < 2, f"{name} is there {len(values)} times"
        return values[0] if values else None

    @property
    def text(self) -> str:
        """The body, which must be UTF-8."""
        return self.body.decode("utf-8")

    @property
    def json(self) -> Any:
        """The body as the one JSON value it must be."""
        return strict_json(self.text)


def strict_json(text: str) -> Any:
    """Parse JSON without NaN and without a key twice."""
    return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_twins)


def _no_constant(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    assert len(found) == len(pairs), f"a key is there twice: {[key for key, _ in pairs]}"
    return found


def exchange(
    port: int,
    method: str,
    path: str,
    body: Any = None,
    headers: Mapping[str, str | None] | None = None,
    *,
    received: Callable[[bytes], object] = len,
) -> Reply:
    """Send one request and read to the end of the connection.

    ``body`` is sent as it is if it is bytes, else as JSON; None sends none. No Content-Type goes out unless given.
    ``received`` is called with everything that arrives.
    """
    payload = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    own: dict[str, str | None] = {"Host": f"127.0.0.1:{port}", "Connection": "close"}
    if payload or method in ("POST", "DELETE"):
        own["Content-Length"] = str(len(payload))
    lines = [f"{name}: {value}" for name, value in {**own, **(headers or {})}.items() if value is not DROPPED]
    head = "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1")
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as connection:
        connection.sendall(head + payload)
        return _parsed(_all_of(connection, received), method)


def _all_of(connection: socket.socket, received: Callable[[bytes], object]) -> bytes:
    whole = bytearray()
    while block := connection.recv(65536):
        received(block)
        whole += block
    return bytes(whole)


def _parsed(raw: bytes, method: str) -> Reply:
    head, separator, rest = raw.partition(b"\r\n\r\n")
    assert separator, f"no head in {raw[:200]!r}"
    first, *lines = head.decode("latin-1").split("\r\n")
    protocol, status, reason = first.split(" ", 2)
    headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
    framing = {name.lower(): value for name, value in headers}
    blocks = None
    if method == "HEAD" or int(status) in (204, 304):
        assert not rest, f"a body after an answer that has none: {rest[:200]!r}"
    elif framing.get("transfer-encoding") == "chunked":
        assert "content-length" not in framing, "two ways of framing"
        blocks = tuple(_chunks(rest))
        rest = b"".join(blocks)
    else:
        assert framing.get("content-length") == str(len(rest)), f"{framing.get('content-length')} is not {len(rest)}"
    return Reply(protocol, int(status), reason, headers, rest, blocks)


def _chunks(raw: bytes) -> list[bytes]:
    """Take a chunked body apart; it must end with the empty chunk and nothing behind it."""
    chunks: list[bytes] = []
    while True:
        size, separator, raw = raw.partition(b"\r\n")
        assert separator, "the chunked body is cut"
        length = int(size, 16)
        chunk, end, raw = raw[:length], raw[length : length + 2], raw[length + 2 :]
        assert end == b"\r\n", "a chunk is longer or shorter than it says"
        if not length:
            assert not raw, f"bytes behind the last chunk: {raw[:200]!r}"
            return chunks
        chunks.append(chunk)
