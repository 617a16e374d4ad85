"""The forms a value can have: numbers, words, seconds, lists, files. Each refuses with a sentence for the user."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from environs import ValidationError
from environs import validate as check

from flask_shim.config.durations import go_seconds
from flask_shim.config.setting import Form

MIB = 1024 * 1024
_PLAIN_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)")
_NOT_SECONDS = "Not a number of seconds such as 300 or 0.5, nor a duration such as 5m."


def flag() -> Form:
    """Take yes or no, in the usual words."""
    return lambda reader, name: reader.bool(name, error_messages={"invalid": "Neither yes nor no: use 1 or 0."})


def whole(low: int, high: int) -> Form:
    """Take a whole number between two bounds, both allowed."""
    messages = {"invalid": "Not a whole number."}
    return lambda reader, name: reader.int(name, validate=check.Range(low, high), error_messages=messages)


def one_of(*words: str) -> Form:
    """Take one of a few words."""
    return lambda reader, name: reader.str(name, validate=check.OneOf(words, error="Must be one of: {choices}."))


def shaped(pattern: str, error: str) -> Form:
    """Take a text of that shape."""
    return lambda reader, name: reader.str(name, validate=check.Regexp(rf"\A(?:{pattern})\Z", error=error))


def text() -> Form:
    """Take any text."""
    return lambda reader, name: reader.str(name)


def parsed(parse: Callable[[str], Any]) -> Form:
    """Take whatever ``parse`` makes of the text; its ValidationError says what is wrong."""
    return lambda reader, name: reader.parsed(name, parse=parse)


def seconds(low: float, high: float, *, zero: bool = False, negative: float | None = None) -> Form:
    """Take seconds or a Go duration; ``zero`` allows 0 below ``low``, ``negative`` is what anything below 0 means."""
    return parsed(partial(_to_seconds, low=low, high=high, zero=zero, negative=negative))


def _to_seconds(raw: str, *, low: float, high: float, zero: bool, negative: float | None) -> float:
    value = _seconds_of(raw)
    if value < 0 and negative is not None:
        return negative
    if low <= value <= high or (zero and value == 0):
        return value
    raise ValidationError(f"Must be {'0, or ' if zero and low else ''}from {low:g} to {high:g} seconds.")


def _seconds_of(raw: str) -> float:
    if _PLAIN_NUMBER.fullmatch(raw):
        return float(raw)
    try:
        return go_seconds(raw)
    except ValueError as exc:
        raise ValidationError(_NOT_SECONDS) from exc


def number_or(word: str, low: float, high: float) -> Form:
    """Take a number between two bounds, or a word that stands for "none of ours" and gives None."""

    def parse(raw: str) -> float | None:
        if raw.lower() == word:
            return None
        if not _PLAIN_NUMBER.fullmatch(raw) or not low <= float(raw) <= high:
            raise ValidationError(f"Must be from {low:g} to {high:g}, or the word {word}.")
        return float(raw)

    return parsed(parse)


def bytes_or_most(most: int) -> Form:
    """Take a number of bytes; 0 is ``most``, that is as good as no limit."""
    read = whole(0, most)
    return lambda reader, name: read(reader, name) or most


def names() -> Form:
    """Take a comma-separated list; empty entries don't count."""
    return parsed(split)


def split(raw: str) -> tuple[str, ...]:
    """Cut at commas, drop blanks, empty entries and repetitions."""
    return tuple(dict.fromkeys(entry.strip() for entry in raw.split(",") if entry.strip()))


def text_or_texts() -> Form:
    """Take one text as it stands, or a JSON array of texts."""
    return parsed(lambda raw: json_texts(raw) if raw.lstrip().startswith("[") else (raw,))


def json_texts(raw: str) -> tuple[str, ...]:
    """Read a JSON array of non-empty texts."""
    problem = 'Begins like a JSON array, but is none of texts such as ["a", "b"].'
    try:
        entries = json.loads(raw)
    except (ValueError, RecursionError) as exc:
        raise ValidationError(problem) from exc
    if not all(isinstance(entry, str) and entry for entry in entries):
        raise ValidationError(problem)
    return tuple(entries)


def key() -> Form:
    """Take one key: what can travel in an HTTP header, so visible ASCII."""
    return parsed(_to_key)


def _to_key(raw: str) -> str:
    if not re.fullmatch(r"[!-~]+", raw):
        raise ValidationError("A key holds visible ASCII characters only, without blanks.")
    return raw


def keys() -> Form:
    """Take keys, comma-separated."""
    return parsed(_to_keys)


def _to_keys(raw: str) -> tuple[str, ...]:
    found = tuple(_to_key(entry) for entry in split(raw))
    if not found:
        raise ValidationError("No key between the commas.")
    return found


def path(*, is_present: bool = False) -> Form:
    """Take a path; ``~`` is the home folder. ``is_present`` wants a file to be there already."""
    return parsed(partial(_to_path, is_present=is_present))


def _to_path(raw: str, *, is_present: bool) -> Path:
    try:
        found = Path(raw).expanduser()
    except RuntimeError as exc:
        raise ValidationError("There is no such home folder.") from exc
    if is_present and not found.is_file():
        raise ValidationError("There is no such file.")
    return found
