"""Leave keys and pictures out of what is kept of requests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import orjson

LEFT_OUT = "(left out)"

LONGEST_BODY = 4_000_000
"""Bytes of a body that are kept once its pictures are left out."""

_LONGEST_DATA = 256
"""A longer text without blanks is data of a picture, a sound or a document if its place says so."""

_KEY = re.compile(r"api[-_]?key|authori[sz]ation|secret|password|cookie|(^|[-_])token$", re.IGNORECASE)
_DATA_FIELDS = frozenset({"images", "image", "data", "url", "image_url", "file_data", "image_data"})
_QUERY_VALUE = re.compile(r"(?<==)[^&]{4,}")

_SHOWN_HEADERS = frozenset(
    {
        *("accept", "accept-encoding", "anthropic-beta", "anthropic-version", "connection", "content-encoding"),
        *("content-length", "content-type"),
        *("host", "openai-beta", "origin", "user-agent", "x-request-id"),
    }
)


def redacted_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the headers with the values of all but harmless ones left out; their names help to find proxies."""
    return {name: value if name.lower() in _SHOWN_HEADERS else LEFT_OUT for name, value in headers}


def redacted_query(query: str) -> str:
    """Return a query string without its longer values, any of which may be a key."""
    return _QUERY_VALUE.sub(LEFT_OUT, query)


def redacted_body(body: bytes) -> tuple[Any, bool]:
    """Return a body as JSON without keys and pictures, and whether nothing was left out.

    It is a text if the body is no JSON, or longer than is kept.
    """
    if not body:
        return None, True
    try:
        whole = orjson.loads(body)
    except orjson.JSONDecodeError:
        return f"({len(body)} bytes that are not JSON)", False
    value = redacted(whole)
    if len(kept := orjson.dumps(value)) <= LONGEST_BODY:
        return value, bool(value == whole)
    return f"{kept[:LONGEST_BODY].decode(errors='replace')} ({len(kept) - LONGEST_BODY} more bytes)", False


def redacted(value: Any, name: str = "") -> Any:
    """Return a JSON value without keys and pictures; ``name`` is the field that holds it."""
    if isinstance(value, dict):
        if name == "headers":  # of an MCP server
            return dict.fromkeys(value, LEFT_OUT)
        return {key: redacted(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [redacted(each, name) for each in value]
    if isinstance(value, str):
        if _KEY.search(name) and value:
            return LEFT_OUT
        is_data = name in _DATA_FIELDS and len(value) > _LONGEST_DATA and " " not in value[:_LONGEST_DATA]
        if is_data or value.startswith("data:"):
            return f"{LEFT_OUT[:-1]}: {len(value)} characters)"
    return value
