"""What JSON must look like: literals stand for themselves, shapes for whatever they describe, key order counts.

fault_in({"done": True, "eval_count": 4}, {"done": True, optional("error"): TEXT, "eval_count": INT}) is None
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shape:
    """A description of values, and the test for it."""

    words: str
    fits: Callable[[Any], bool]

    def __repr__(self) -> str:
        return self.words


@dataclass(frozen=True)
class Optional:
    """A key that may be missing."""

    key: str


@dataclass(frozen=True)
class Every:
    """A list whose items all have one shape; ``least`` of them at least."""

    item: Any
    least: int = 0


@dataclass(frozen=True)
class Mapping:
    """An object with any keys, in any order, whose values have one shape; ``holding`` are keys it must have."""

    value: Any
    holding: tuple[tuple[str, Any], ...] = ()


def optional(key: str) -> Optional:
    """Name a key that may be missing."""
    return Optional(key)


def every(item: Any, least: int = 0) -> Every:
    """Describe a list."""
    return Every(item, least)


def mapping(value: Any, holding: dict[str, Any] | None = None) -> Mapping:
    """Describe an object with free keys."""
    return Mapping(value, tuple((holding or {}).items()))


def matching(pattern: str, words: str = "") -> Shape:
    """Describe a string by a pattern for all of it."""
    compiled = re.compile(pattern, re.S)
    return Shape(
        words or f"a string like {pattern}", lambda value: isinstance(value, str) and bool(compiled.fullmatch(value))
    )


def one_of(*choices: Any) -> Shape:
    """Describe a value that fits one of several shapes."""
    words = " or ".join(map(repr, choices))
    return Shape(words, lambda value: any(fault_in(value, choice) is None for choice in choices))


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9]|\.0)?"

ANYTHING = Shape("anything", lambda _: True)
STRING = Shape("a string", lambda value: isinstance(value, str))
TEXT = Shape("a string that is not empty", lambda value: isinstance(value, str) and bool(value))
INT = Shape("an integer", _is_int)
NATURAL = Shape("an integer from 0 on", lambda value: _is_int(value) and value >= 0)
POSITIVE = Shape("an integer from 1 on", lambda value: _is_int(value) and value > 0)
NUMBER = Shape("a number", lambda value: _is_int(value) or (isinstance(value, float) and math.isfinite(value)))
BOOL = Shape("true or false", lambda value: isinstance(value, bool))
UTC = matching(_MOMENT + "Z", "a moment in UTC, at most nine digits of a second")
LOCAL = matching(_MOMENT + r"(Z|[+-]\d\d:\d\d)", "a moment with a zone, at most nine digits of a second")
HEX64 = matching("[0-9a-f]{64}", "64 lower-case hex digits")
DIGEST = matching("sha256:[0-9a-f]{64}", "sha256: and 64 hex digits")
CALL_ID = matching("call_[a-z0-9]{8}", "call_ and 8 letters or digits")


def unit_vector(length: int) -> Shape:
    """Describe a vector of ``length`` numbers and of length 1."""

    def fits(value: Any) -> bool:
        is_vector = isinstance(value, list) and len(value) == length and all(NUMBER.fits(number) for number in value)
        return is_vector and math.isclose(math.hypot(*value), 1, abs_tol=1e-3)

    return Shape(f"a unit vector of {length} numbers", fits)


def fault_in(actual: Any, expected: Any, where: str = "it") -> str | None:
    """Return what is wrong with ``actual``, None when it is as described."""
    if isinstance(expected, Shape):
        return None if expected.fits(actual) else f"{where} is not {expected}: {_shown(actual)}"
    for kind, look in _LOOKS:
        if isinstance(expected, kind):
            return look(actual, expected, where)
    is_same = type(actual) is type(expected) and actual == expected
    return None if is_same else f"{where} is not {expected!r}: {_shown(actual)}"


def _in_object(actual: Any, expected: dict[Any, Any], where: str) -> str | None:
    if not isinstance(actual, dict):
        return f"{where} is no object: {_shown(actual)}"
    names = {(key.key if isinstance(key, Optional) else key): shape for key, shape in expected.items()}
    may_miss = {key.key for key in expected if isinstance(key, Optional)}
    in_order = [key for key in names if key in actual or key not in may_miss]
    if list(actual) != in_order:
        return f"{where} has the keys {list(actual)}, not {in_order}"
    return _first(fault_in(value, names[key], f"{where}.{key}") for key, value in actual.items())


def _in_list(actual: Any, expected: list[Any], where: str) -> str | None:
    if not isinstance(actual, list) or len(actual) != len(expected):
        return f"{where} is no list of {len(expected)}: {_shown(actual)}"
    return _first(fault_in(a, e, f"{where}[{i}]") for i, (a, e) in enumerate(zip(actual, expected, strict=True)))


def _in_every(actual: Any, expected: Every, where: str) -> str | None:
    if not isinstance(actual, list) or len(actual) < expected.least:
        return f"{where} is no list of {expected.least} or more: {_shown(actual)}"
    return _first(fault_in(item, expected.item, f"{where}[{i}]") for i, item in enumerate(actual))


def _in_mapping(actual: Any, expected: Mapping, where: str) -> str | None:
    if not isinstance(actual, dict):
        return f"{where} is no object: {_shown(actual)}"
    for key, shape in expected.holding:
        if key not in actual:
            return f"{where} lacks {key}: {list(actual)}"
        if fault := fault_in(actual[key], shape, f"{where}.{key}"):
            return fault
    return _first(fault_in(value, expected.value, f"{where}.{key}") for key, value in actual.items())


_LOOKS = ((dict, _in_object), (list, _in_list), (Every, _in_every), (Mapping, _in_mapping))


def _first(faults: Any) -> str | None:
    return next(filter(None, faults), None)


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:400]
