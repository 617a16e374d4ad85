"""The heads of HTTP/1.1 requests and responses (RFC 9112).

Whatever is ambiguous about where a response ends is an error.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

MAX_BYTES = 65_536
MAX_HEADERS = 100

END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE = re.compile(r"HTTP/1\.(\d) ([1-9]\d\d)(?: [^\0\r\n]*)?\r?")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\0\r\n]*)\r?")
_FOLD = re.compile(r"\r?\n[ \t]+")
_LENGTH = re.compile(r"(\d{1,18})(?:\s*,\s*\1)*")
"""Servers may repeat the length, as in ``5, 5`` (RFC 9110, section 8.6)."""


class MalformedHead(http.client.HTTPException):
    """The bytes are not the head of a response."""


class ResponseHead(NamedTuple):
    """What a response says before its body."""

    status: int
    headers: Mapping[str, str]
    """By name, written as in ``Content-Type``; the values of a repeated header are joined by commas."""
    keeps_alive: bool
    """Whether the connection may be used for another request after the body."""
    is_chunked: bool
    length: int | None
    """The size of the body; None if it is chunked or ends when the connection is closed."""


def format_head(method: str, url: str, host: str, headers: Mapping[str, str]) -> bytes:
    """Return the head of a request, which ends with the blank line."""
    lines = [f"{method} {url} HTTP/1.1", f"Host: {host}", *[f"{name}: {value}" for name, value in headers.items()]]
    head = "\r\n".join(lines)
    if head.count("\r") != len(lines) - 1 or head.count("\n") != len(lines) - 1:
        raise ValueError("a header contains a line end")
    return head.encode("latin-1") + b"\r\n\r\n"


@lru_cache(maxsize=64)  # LM Studio's differ in their dates only, from second to second
def parse_head(head: bytes, method: str) -> ResponseHead:
    """Return the parsed head of the response to a request with ``method``; ``head`` ends before the blank line."""
    status_line, *lines = _FOLD.sub(" ", head.decode("latin-1")).split("\n")
    start = _STATUS_LINE.fullmatch(status_line)
    if start is None:
        raise MalformedHead("the response does not begin with a status line of HTTP/1.x")
    if len(lines) > MAX_HEADERS:
        raise MalformedHead(f"the response has more than {MAX_HEADERS} headers")
    headers: dict[str, str] = {}
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            raise MalformedHead("a header of the response is malformed")
        name, value = header[1].title(), header[2].rstrip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    connection = headers.get("Connection", "").lower()
    keeps_alive = "keep-alive" in connection if start[1] == "0" else "close" not in connection
    return _with_framing(ResponseHead(int(start[2]), headers, keeps_alive, is_chunked=False, length=None), method)


def _with_framing(head: ResponseHead, method: str) -> ResponseHead:
    """Return ``head`` with what determines the end of the body (RFC 9112, section 6.3)."""
    coding, length = head.headers.get("Transfer-Encoding"), head.headers.get("Content-Length")
    if method == "HEAD" or head.status < 200 or head.status in (204, 304):
        return head._replace(length=0)
    if coding is not None:
        if coding.lower() != "chunked":
            raise MalformedHead("the response has a transfer coding other than chunked")
        # Another program on the way may have believed the length.
        return head._replace(is_chunked=True, keeps_alive=head.keeps_alive and length is None)
    if length is None:
        return head._replace(keeps_alive=False)
    size = _LENGTH.fullmatch(length)
    if size is None:
        raise MalformedHead("the response has no valid Content-Length")
    return head._replace(length=int(size[1]))
