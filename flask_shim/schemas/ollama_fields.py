"""Schemas of requests, and the fields of types that only Ollama has: images, keep_alive, think, format."""

from __future__ import annotations

import base64
import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, get_type_hints

from flask_shim.config.parsers import LONGEST_SECONDS, go_seconds
from flask_shim.schemas.go_fields import (
    GoAny,
    GoBool,
    GoField,
    GoFloat,
    GoInt,
    GoList,
    GoMap,
    GoSchema,
    GoString,
    GoStringMap,
)
from flask_shim.schemas.unmarshal_errors import Fault, mismatch, refusal
from flask_shim.translate.ollama.quoting import GO_TYPES
from flask_shim.translate.ollama.requests import Format, InvalidFormat, Think

_NANOSECONDS = 10**9

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/\r\n]")


class Image(GoField[str]):
    """An image or a sound in standard base64 with padding, perhaps with line ends in it, which are left out."""

    zero = ""

    def _read(self, value: Any) -> str:
        if not isinstance(value, str):
            raise mismatch(value, "api.ImageData")
        letters = value.encode()
        if _is_canonical(letters):
            return value
        at = _base64_fault(letters)
        if at is not None:
            raise Fault(text=f"illegal base64 data at input byte {at}")
        return _encoded(letters)


class KeepAlive(GoField[float]):
    """Seconds; negative values, which mean "forever", become ``math.inf``."""

    def _read(self, value: Any) -> float:
        try:
            seconds = go_seconds(value) if isinstance(value, str) else value
        except ValueError as error:
            raise refusal(str(error), log_text="invalid duration") from error
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
            raise refusal(f"Unsupported type: '{GO_TYPES[type(seconds)]}'")
        if seconds < 0 or seconds > LONGEST_SECONDS:
            return math.inf
        # Go counts whole nanoseconds: less than one becomes 0, which means "unload".
        return math.trunc(seconds * _NANOSECONDS) / _NANOSECONDS


class ThinkValue(GoField[Think]):
    """True, false or the name of a level; the model decides which names it has (ollama#18473)."""

    def _read(self, value: Any) -> Think:
        if not isinstance(value, bool | str):
            raise refusal("think must be a boolean or string")
        return value


class FormatValue(GoField[Format]):
    """``json``, a schema, or an InvalidFormat without its text, which Ollama rejects after it has loaded the model."""

    def _read(self, value: Any) -> Format:
        if value == "":
            return None
        if value == "json" or isinstance(value, dict):
            return value  # type: ignore[no-any-return]
        return InvalidFormat(raw="")


_BY_TYPE: dict[Any, Callable[[], GoField[Any]]] = {
    str: GoString,
    str | None: partial(GoString, load_default=None),
    bool: GoBool,
    int: GoInt,
    float | None: GoFloat,
    Any: GoAny,
    Mapping[str, Any]: GoMap,
    Mapping[str, str] | None: GoStringMap,
    tuple[str, ...]: lambda: GoList(GoString(), "[]string"),
    tuple[int, ...]: lambda: GoList(GoInt(), "[]int"),
    Format: FormatValue,
    Think: ThinkValue,
}
_BY_NAME: dict[str, Callable[[], GoField[Any]]] = {
    "keep_alive": KeepAlive,
    "images": lambda: GoList(Image(), "[]api.ImageData"),
}


def schema_of(request: type[Any], struct: str = "", **given: GoField[Any] | None) -> type[GoSchema]:
    """Return the schema for a dataclass, with its name and a field for each of its own, by name or type.

    ``given`` are fields that this does not decide, None for what bodies do not have. ``struct`` is Ollama's name.
    """
    types = get_type_hints(request)
    members: dict[str, GoField[Any] | None] = {}
    for field in dataclasses.fields(request):
        if field.name not in given:
            make = _BY_NAME.get(field.name) or _BY_TYPE[types[field.name]]
            members[field.name] = GoBool(load_default=True) if field.default is True else make()
    members |= given
    found = {name: field for name, field in members.items() if field is not None}
    name = f"{request.__name__.removesuffix('Request')}Schema"
    return type(name, (GoSchema,), {"struct": struct or request.__name__, **found})


def _is_canonical(letters: bytes) -> bool:
    """Return whether an encoder writes just that: no line ends, and no bits after the data.

    Pictures of 10 MB are neither decoded nor searched for that: it takes a fourth of the time.
    """
    padding, end = letters.translate(None, _BASE64), letters[-4:]
    if len(letters) % 4 or padding not in (b"", b"=", b"==") or not end.endswith(padding):
        return False
    return _encoded(end) == end.decode()


def _encoded(letters: bytes) -> str:
    return base64.b64encode(base64.b64decode(letters)).decode()


def _base64_fault(letters: bytes) -> int | None:
    """Return the offset that Go's decoder reports, None for valid base64."""
    odd = _NOT_BASE64.search(letters)
    end = odd.start() if odd else len(letters)
    in_quantum = (end - letters.count(b"\n", 0, end) - letters.count(b"\r", 0, end)) % 4
    if odd is None:
        return end - in_quantum if in_quantum else None
    if odd[0] != b"=" or in_quantum < 2:
        return end
    return _padding_fault(letters, end + 1, missing=3 - in_quantum)


def _padding_fault(letters: bytes, at: int, *, missing: int) -> int | None:
    """Check what follows the first ``=``; ``missing`` is how many more are required."""
    if missing:
        at = _skip_line_ends(letters, at)
        if at == len(letters):
            return at
        if letters[at] != ord("="):
            return at - 1
        at += 1
    at = _skip_line_ends(letters, at)
    return None if at == len(letters) else at


def _skip_line_ends(letters: bytes, at: int) -> int:
    return len(letters) - len(letters[at:].lstrip(b"\r\n"))
