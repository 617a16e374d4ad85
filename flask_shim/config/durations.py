"""Durations as Go writes them (``5m``, ``1h30m``, ``-1m``): the form of Ollama's variables and of ``keep_alive``."""

from __future__ import annotations

import re

UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
"""Both micro signs are in use: U+00B5 and U+03BC."""

LONGEST_SECONDS = (2**63 - 1) / 1e9
"""Go counts nanoseconds in 64 bits, so about 292 years."""

_PART = re.compile(r"([0-9]*\.?[0-9]*)([^0-9.]*)")


def go_seconds(text: str) -> float:
    """Return the seconds of a Go duration; ValueError carries the text Go itself would give."""
    digits = text[1:] if text[:1] in {"+", "-"} else text
    if digits == "0":
        return 0.0
    total = sum(_part_seconds(number, unit, text) for number, unit in _parts(digits, text))
    if total > LONGEST_SECONDS:
        raise _invalid(text)
    return -total if text.startswith("-") else total


def _parts(digits: str, text: str) -> list[tuple[str, str]]:
    parts: list[tuple[str, str]] = []
    at = 0
    while at < len(digits):
        match = _PART.match(digits, at)
        if match is None or not match.group(1).strip("."):
            raise _invalid(text)
        parts.append((match.group(1), match.group(2)))
        at = match.end()
    if not parts:
        raise _invalid(text)
    return parts


def _part_seconds(number: str, unit: str, text: str) -> float:
    if not unit:
        raise ValueError(f'time: missing unit in duration "{text}"')
    if unit not in UNIT_SECONDS:
        raise ValueError(f'time: unknown unit "{unit}" in duration "{text}"')
    return float(number) * UNIT_SECONDS[unit]


def _invalid(text: str) -> ValueError:
    return ValueError(f'time: invalid duration "{text}"')
