"""Read request bytes into a JSON object, with the tolerance and the errors of Go's decoder.

orjson reads nearly every body. What it rejects is read again by a slower scanner, because Go accepts more (text after
the first value, lone surrogates, bytes that are not UTF-8) and because clients know Go's error texts.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

import orjson

from flask_shim.errors import BadRequest
from flask_shim.schemas.json_syntax import Scanner

ORJSON_DEPTH = 254
"""Nested levels that orjson writes; an empty innermost one is not counted."""

MAX_DEPTH = 200
"""Nested levels that are accepted: what is built around a request has more than the request."""

TOO_DEEP = f"request body is nested more than {MAX_DEPTH} levels deep"

_SHORT = 100_000
"""A body of which the brackets are counted; in a picture of 10 MB that takes longer than to write it."""

_LONGEST_LITERAL = 100
_SPACE = b" \t\r\n"

_ESCAPES = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)
_SURROGATES = re.compile("[\ud800-\udfff]")

_KINDS: dict[type, str] = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}


class Literal(float):
    """A number that remembers how it was written."""

    text: str

    def __new__(cls, text: str) -> Literal:
        """Keep ``text``; the value itself may be infinite."""
        number = super().__new__(cls, text)
        number.text = text
        return number


class NumberOutOfRange(BadRequest):
    """A number beyond float64 in a field of unknown type."""

    def __init__(self, text: str) -> None:
        """``text`` is the literal, which Go names."""
        super().__init__(f"json: cannot unmarshal number {shortened(text)} into Go value of type float64")


def kind(value: object) -> str:
    """Return Go's word for the JSON type of ``value``."""
    return "number" if isinstance(value, Literal) else _KINDS[type(value)]


def shortened(literal: str) -> str:
    """Return a literal for an error text, cut if it is long; Go repeats it whole."""
    return literal if len(literal) <= _LONGEST_LITERAL else f"{literal[:_LONGEST_LITERAL]}…"


def read_object(raw: bytes, go_type: str, *, empty_text: str = "missing request body") -> dict[str, Any]:
    """Return the first JSON value of ``raw``, which must be an object; ``null`` is an empty one.

    ``go_type`` names what Ollama reads the body into (``api.ChatRequest``). BadRequest carries Go's error text.
    """
    return read_json(raw, go_type, empty_text=empty_text)[1]


def read_json(raw: bytes, go_type: str, *, empty_text: str) -> tuple[bytes, dict[str, Any]]:
    """Return ``raw`` and its object as :func:`read_object` does; bytes that are not valid JSON are repaired."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        if not raw.strip(_SPACE):
            raise BadRequest(empty_text) from None
        text = _first_value(raw)
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            # Valid JSON that orjson rejects has a number beyond float64.
            value = json.loads(text, parse_int=_number(int), parse_float=_number(float))
        return text.encode(), _object(value, go_type)
    _check_depth(value, raw)
    return raw, _object(value, go_type)


def read_literals(raw: bytes, go_type: str) -> dict[str, Any]:
    """Read a body that :func:`read_object` has read, or rejected for a number; every number becomes a Literal."""
    return _object(json.loads(_first_value(raw), parse_int=Literal, parse_float=Literal), go_type)


def member_text(raw: bytes, name: str) -> str:
    """Return the JSON text of a member of the object in ``raw``; the last one that is not null counts."""
    scanner = Scanner(raw)
    scanner.scan()
    given = [value for key, value in scanner.members if folded(json.loads(_as_text(key))) == name]
    return _as_text([value for value in given if value != b"null"][-1])


def folded(key: str) -> str:
    """Fold the case of a field name as Go does, which includes the long s and the Kelvin sign."""
    return key.lower().replace("\u017f", "s")


def _object(value: object, go_type: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRequest(f"json: cannot unmarshal {kind(value)} into Go value of type {go_type}")
    return value


def _number(exact: Callable[[str], float]) -> Callable[[str], float]:
    def read(literal: str) -> float:
        if math.isinf(float(literal)):
            raise NumberOutOfRange(literal)
        return exact(literal)

    return read


def _first_value(raw: bytes) -> str:
    scanner = Scanner(raw)
    end = scanner.scan()
    if scanner.depth > MAX_DEPTH:
        raise BadRequest(TOO_DEEP)
    return _as_text(raw[:end])


def _as_text(raw: bytes) -> str:
    """Decode valid JSON; each byte that is not UTF-8 and each lone surrogate becomes U+FFFD."""
    # surrogateescape makes one lone surrogate of each bad byte; Go replaces byte by byte, too.
    text = _SURROGATES.sub("\ufffd", raw.decode("utf-8", "surrogateescape"))
    return _ESCAPES.sub(lambda escape: "\\ufffd" if escape["lone"] else escape[0], text)


def _check_depth(value: object, raw: bytes) -> None:
    if len(raw) <= _SHORT and raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return
    for _ in range(ORJSON_DEPTH - MAX_DEPTH):
        value = [value]
    try:
        orjson.dumps(value)  # takes a tenth of the time that a search in Python takes
    except orjson.JSONEncodeError as exc:
        raise BadRequest(TOO_DEEP) from exc
