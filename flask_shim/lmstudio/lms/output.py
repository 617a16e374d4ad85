"""What the ``lms`` tool prints, which is made for people: progress bars, boxes, colours."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[0-?@-Z\\-_a-z])")
_LINE_ENDS = re.compile(r"[\r\n]+")
_FRAMES = re.compile(r"[\u2500-\u259f\u2800-\u28ff]")
_BLANKS = re.compile(r"\s+")

_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,4})?)\s?%")
_SIZES = re.compile(r"(\d{1,9}(?:\.\d{1,4})?)\s?([KMGT]?)B\s?/\s?(\d{1,9}(?:\.\d{1,4})?)\s?([KMGT]?)B", re.I)
_THOUSANDS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}

_LONGEST_LINE = 10_000

MAX_TEXT = 500
"""More of an error than this says nothing to a person."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a download is: percent, and bytes as exactly as they were printed (three digits); None if not told."""

    percent: float | None = None
    done_bytes: int | None = None
    total_bytes: int | None = None


def progress_of(line: str) -> Progress | None:
    """Read a line of a progress bar; None for any other line."""
    percent, sizes = _PERCENT.search(line), _SIZES.search(line)
    if percent is None and sizes is None:
        return None
    share = min(float(percent[1]), 100.0) if percent else None
    if sizes is None:
        return Progress(share)
    return Progress(share, _bytes(sizes[1], sizes[2]), _bytes(sizes[3], sizes[4]))


def picks_another(line: str) -> bool:
    """Tell whether the tool says that it found no model of exactly that name and takes the first of its findings."""
    return "automatically selecting the first one" in line.lower()


def error_text(output: str) -> str:
    """Return what went wrong as one line of at most MAX_TEXT characters, without colours and frames."""
    text = _BLANKS.sub(" ", _FRAMES.sub(" ", without_escapes(output))).strip()
    return text.removeprefix("Error: ")[:MAX_TEXT]


def without_escapes(text: str) -> str:
    """Return the text without the commands to a terminal in it."""
    return _ESCAPES.sub("", text)


def _bytes(number: str, unit: str) -> int:
    return round(float(number) * _THOUSANDS[unit.upper()])


class Lines:
    """Cuts output into lines as it comes; a carriage return ends one too, for that is how progress bars move."""

    def __init__(self) -> None:
        """Start empty."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, block: bytes, *, is_last: bool = False) -> Iterator[str]:
        """Yield the lines that are complete now, without escapes and empty ones; with ``is_last`` all of them."""
        parts = _LINE_ENDS.split(self._rest + self._decoder.decode(block, is_last))
        self._rest = "" if is_last else parts.pop()[-_LONGEST_LINE:]
        for part in parts:
            if line := without_escapes(part).strip():
                yield line
