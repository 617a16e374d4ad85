"""Parsers of TOML values, and patterns of names. A parser returns the value, or raises ValueError for the user."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from flask_shim.config.parsers import LONGEST_SECONDS, go_seconds

THINK_LEVELS = ("low", "medium", "high", "max")


def text(value: Any) -> str:
    """Parse a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError('Not a text such as "abc".')
    return value


def flag(value: Any) -> bool:
    """Parse true or false."""
    if not isinstance(value, bool):
        raise ValueError("Neither true nor false.")
    return value


def integer(low: int, high: int = 2**31 - 1) -> Callable[[Any], int]:
    """Parse a whole number within bounds."""

    def parse(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError("Not a whole number.")
        if not low <= value <= high:
            raise ValueError(f"Must be from {low} to {high}.")
        return value

    return parse


def number(low: float, high: float) -> Callable[[Any], float]:
    """Parse a number within bounds."""

    def parse(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError("Not a number.")
        if not low <= value <= high:
            raise ValueError(f"Must be from {low:g} to {high:g}.")
        return value

    return parse


def duration(value: Any) -> float:
    """Parse seconds or a duration such as "30m"; a negative one means forever."""
    if isinstance(value, str):
        try:
            seconds = go_seconds(value)
        except ValueError as exc:
            raise ValueError('Not a duration such as "30m" or "1h30m".') from exc
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError('Not a number of seconds, nor a duration such as "30m".')
    else:
        seconds = value
    if not seconds <= LONGEST_SECONDS:  # also not a number
        raise ValueError(f"Must be at most {LONGEST_SECONDS:.0f} seconds; a negative one means forever.")
    return math.inf if seconds < 0 else float(seconds)


def think(value: Any) -> bool | str:
    """Parse whether a model thinks, or how much."""
    if isinstance(value, bool) or (isinstance(value, str) and value in THINK_LEVELS):
        return value
    raise ValueError(f"Must be true, false, or one of: {', '.join(THINK_LEVELS)}.")


def texts(value: Any) -> tuple[str, ...]:
    """Parse one text, or an array of texts."""
    entries = value if isinstance(value, list) else [value]
    if not entries or not all(isinstance(entry, str) and entry for entry in entries):
        raise ValueError('Neither a text nor an array of texts such as ["a", "b"].')
    return tuple(entries)


def matches(patterns: tuple[str, ...], *names: str) -> bool:
    """Return whether one of the names is like one of the patterns, in any case; ``*`` means any characters."""
    return any(_expression(pattern).fullmatch(name) for pattern in patterns for name in names)


@lru_cache(maxsize=256)
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.IGNORECASE | re.DOTALL)
