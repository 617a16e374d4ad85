"""Parsers of settings: each returns the value of a text, or raises ValueError with a sentence for the user."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

MIB = 1024 * 1024
DAY = 86_400.0

UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
"""Go accepts both micro signs: U+00B5 and U+03BC."""

LONGEST_SECONDS = (2**63 - 1) / 1e9
"""Go counts nanoseconds in 64 bits, about 292 years."""

_PLAIN_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)")
_DURATION_PART = re.compile(r"([0-9]*\.?[0-9]*)([^0-9.]*)")
_YES = frozenset({"1", "true", "t", "yes", "y", "on"})
_NO = frozenset({"0", "false", "f", "no", "n", "off"})


def flag(text: str) -> bool:
    """Parse yes or no."""
    word = text.lower()
    if word not in _YES | _NO:
        raise ValueError("Neither yes nor no: use 1 or 0.")
    return word in _YES


def integer(low: int, high: int) -> Callable[[str], int]:
    """Parse a whole number within bounds."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError as exc:
            raise ValueError("Not a whole number.") from exc
        if not low <= value <= high:
            raise ValueError(f"Must be from {low} to {high}.")
        return value

    return parse


def byte_limit(most: int) -> Callable[[str], int]:
    """Parse a number of bytes; 0 means no limit and becomes ``most``."""
    parse = integer(0, most)
    return lambda text: parse(text) or most


def one_of(*words: str) -> Callable[[str], str]:
    """Parse one of a few words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"Must be one of: {', '.join(words)}.")
        return text

    return parse


def version(text: str) -> str:
    """Parse a version of two to four numbers."""
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6}){1,3}", text):
        raise ValueError("Not a plain version such as 0.40.12.")
    return text


def seconds(low: float, high: float, *, zero: bool = False, negative: float | None = None) -> Callable[[str], float]:
    """Parse seconds or a Go duration; ``zero`` allows 0 below ``low``, ``negative`` replaces anything below 0."""

    def parse(text: str) -> float:
        value = _to_seconds(text)
        if value < 0 and negative is not None:
            return negative
        if low <= value <= high or (zero and value == 0):
            return value
        raise ValueError(f"Must be {'0, or ' if zero and low else ''}from {low:g} to {high:g} seconds.")

    return parse


def _to_seconds(text: str) -> float:
    if _PLAIN_NUMBER.fullmatch(text):
        return float(text)
    try:
        return go_seconds(text)
    except ValueError as exc:
        raise ValueError("Not a number of seconds such as 300 or 0.5, nor a duration such as 5m.") from exc


def go_seconds(text: str) -> float:
    """Return the seconds of a Go duration (``1h30m``); ValueError has the text of Go's ``time.ParseDuration``."""
    digits = text[1:] if text[:1] in {"+", "-"} else text
    if digits == "0":
        return 0.0
    total, at = 0.0, 0
    while at < len(digits):
        match = _DURATION_PART.match(digits, at)
        if match is None or not match.group(1).strip("."):
            break
        number, unit = match.groups()
        if not unit:
            raise ValueError(f'time: missing unit in duration "{text}"')
        if unit not in UNIT_SECONDS:
            raise ValueError(f'time: unknown unit "{unit}" in duration "{text}"')
        total += float(number) * UNIT_SECONDS[unit]
        at = match.end()
    if not digits or at < len(digits) or total > LONGEST_SECONDS:
        raise ValueError(f'time: invalid duration "{text}"')
    return -total if text.startswith("-") else total


def temperature(text: str) -> float | None:
    """Parse a temperature, or the word ``backend``, which gives None."""
    if text.lower() == "backend":
        return None
    if not _PLAIN_NUMBER.fullmatch(text) or not 0 <= float(text) <= 2:
        raise ValueError("Must be from 0 to 2, or the word backend.")
    return float(text)


def comma_separated(text: str) -> tuple[str, ...]:
    """Split at commas; drop blanks, empty entries and repetitions."""
    return tuple(dict.fromkeys(entry.strip() for entry in text.split(",") if entry.strip()))


def text_or_texts(text: str) -> tuple[str, ...]:
    """Parse one text, or a JSON array of texts."""
    return json_texts(text) if text.lstrip().startswith("[") else (text,)


def json_texts(text: str) -> tuple[str, ...]:
    """Parse a JSON array of non-empty texts."""
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        entries = [None]
    if not all(isinstance(entry, str) and entry for entry in entries):
        raise ValueError('Begins like a JSON array, but is not an array of texts such as ["a", "b"].')
    return tuple(entries)


def key(text: str) -> str:
    """Parse a key that fits in an HTTP header."""
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("A key holds visible ASCII characters only, without blanks.")
    return text


def keys(text: str) -> tuple[str, ...]:
    """Parse comma-separated keys."""
    found = tuple(key(entry) for entry in comma_separated(text))
    if not found:
        raise ValueError("No key between the commas.")
    return found


def path(text: str) -> Path:
    """Parse a path; ``~`` is the home folder."""
    try:
        return Path(text).expanduser()
    except RuntimeError as exc:
        raise ValueError("There is no such home folder.") from exc


def existing_file(text: str) -> Path:
    """Parse the path of a file that exists."""
    found = path(text)
    if not is_file(found):
        raise ValueError("There is no such file.")
    return found


def is_file(path: Path) -> bool:
    """Return whether a file exists, also where its folder may not be searched: before Python 3.14 pathlib raises."""
    return os.path.isfile(path)  # noqa: PTH113


def user_folder(find: Callable[..., str], name: str = "flask-shim") -> Path:
    """Return what a function of platformdirs finds for this user.

    A user with neither HOME nor a line in /etc/passwd, as in some containers, has the home folder of Debian's system
    users. platformdirs 4.0 returns a path in ``~`` for that user, 4.14 raises.
    """
    try:
        folder = find(name, appauthor=False)
    except RuntimeError:
        folder = "~"
    return Path("/nonexistent", name) if folder.startswith("~") else Path(folder)
