"""Fields whose types Ollama reads with code of its own: images, keep_alive, think, format."""

from __future__ import annotations

import base64
import math
import re
from typing import Any

from flask_shim.config.parsers import LONGEST_SECONDS, go_seconds
from flask_shim.schemas.go_fields import GoField
from flask_shim.schemas.unmarshal_errors import Fault, failure, mismatch, refusal
from flask_shim.translate.ollama.quoting import go_quote
from flask_shim.translate.ollama.requests import Format, InvalidFormat, Think

_NANOSECONDS = 10**9

_THINK_LEVELS = ("high", "medium", "low", "max")
_THINK_WORDS = f"{', '.join(map(go_quote, _THINK_LEVELS))}, true, or false"

_GO_TYPES = {bool: "bool", list: "[]interface {}", dict: "map[string]interface {}"}

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/\r\n]")
_LINE_ENDS = re.compile(rb"[\r\n]*")


class Image(GoField[bytes]):
    """An image or a sound in standard base64 with padding; line ends between the letters do no harm."""

    def __init__(self) -> None:
        super().__init__(load_default=b"")

    def from_json(self, value: Any) -> bytes:
        """Return the bytes."""
        if not isinstance(value, str):
            raise mismatch(value, "api.ImageData")
        letters = value.encode()
        at = _base64_fault(letters)
        if at is not None:
            raise failure(Fault(text=f"illegal base64 data at input byte {at}"))
        return base64.b64decode(letters)


class KeepAlive(GoField[float]):
    """Seconds; ``math.inf`` for the negative values that mean "forever"."""

    def __init__(self) -> None:
        super().__init__(load_default=None)

    def from_json(self, value: Any) -> float:
        """Take a number of seconds or a Go duration."""
        if isinstance(value, str):
            return _lasting(_duration(value))
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise refusal(f"Unsupported type: '{_GO_TYPES[type(value)]}'")
        return _lasting(value)


class ThinkValue(GoField[Think]):
    """True, false or a level."""

    def __init__(self) -> None:
        super().__init__(load_default=None)

    def from_json(self, value: Any) -> Think:
        """Take a bool or one of the levels."""
        if isinstance(value, bool):
            return value
        if not isinstance(value, str):
            raise refusal(f"think must be a boolean or string ({_THINK_WORDS})")
        if value not in _THINK_LEVELS:
            text = f"invalid think value: {go_quote(value)} (must be {_THINK_WORDS})"
            raise refusal(text, log_text="invalid think value")
        return value  # type: ignore[return-value]  # one of the levels, just checked


class FormatValue(GoField[Format]):
    """Kept as it is: what is wrong with it, Ollama says only after the model is loaded."""

    def __init__(self) -> None:
        super().__init__(load_default=None)

    def from_json(self, value: Any) -> Format:
        """Take anything; what is neither "json" nor an object becomes an InvalidFormat without its text."""
        if value == "":
            return None
        if value == "json" or isinstance(value, dict):
            return value  # type: ignore[no-any-return]
        return InvalidFormat(raw="")


def _duration(text: str) -> float:
    try:
        return go_seconds(text)
    except ValueError as error:
        raise refusal(str(error), log_text="invalid duration") from error


def _lasting(seconds: float) -> float:
    if seconds < 0 or seconds > LONGEST_SECONDS:
        return math.inf
    # Go counts whole nanoseconds, so less than one of them is 0, which means "unload".
    return math.trunc(seconds * _NANOSECONDS) / _NANOSECONDS


def _base64_fault(letters: bytes) -> int | None:
    """Return the offset Go's decoder complains about, None when it takes the text."""
    odd = _NOT_BASE64.search(letters)
    end = odd.start() if odd else len(letters)
    in_quantum = (end - letters.count(b"\n", 0, end) - letters.count(b"\r", 0, end)) % 4
    if odd is None:
        return end - in_quantum if in_quantum else None
    if odd[0] != b"=" or in_quantum < 2:
        return end
    return _padding_fault(letters, end + 1, missing=3 - in_quantum)


def _padding_fault(letters: bytes, at: int, *, missing: int) -> int | None:
    """Look at what follows the first ``=``; ``missing`` says how many more have to come."""
    if missing:
        at = _behind_line_ends(letters, at)
        if at == len(letters):
            return at
        if letters[at] != ord("="):
            return at - 1
        at += 1
    at = _behind_line_ends(letters, at)
    return None if at == len(letters) else at


def _behind_line_ends(letters: bytes, at: int) -> int:
    match = _LINE_ENDS.match(letters, at)
    return match.end() if match else at
