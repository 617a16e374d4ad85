"""Read the output of the ``lms`` tool, which has progress bars, frames and colors."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from flask_shim.lmstudio.downloads import Download

_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[0-?@-Z\\-_a-z])")
_LINE_ENDS = re.compile(r"[\r\n]+")
_FRAMES = re.compile(r"[\u2500-\u259f\u2800-\u28ff]")
_BLANKS = re.compile(r"\s+")

_PERCENT = re.compile(r"\d\s?%")
_SIZES = re.compile(r"(\d{1,9}(?:\.\d{1,4})?)\s?([KMGT]?)B\s?/\s?(\d{1,9}(?:\.\d{1,4})?)\s?([KMGT]?)B", re.I)
_THOUSANDS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}

_LONGEST_LINE = 10_000

MAX_TEXT = 500
"""Longer error texts are cut to this many characters."""


def progress_of(line: str) -> Download | None:
    """Read a line of a progress bar, which has three digits of each size or none; return None for any other line."""
    if (sizes := _SIZES.search(line)) is not None:
        done, total = _bytes(sizes[1], sizes[2]), _bytes(sizes[3], sizes[4])
        return Download(status="downloading", done_bytes=done, total_bytes=total)
    return Download(status="downloading") if _PERCENT.search(line) else None


def picks_another(line: str) -> bool:
    """Return whether the tool says that it found no model of exactly that name and selects the first match."""
    return "automatically selecting the first one" in line.lower()


def error_text(output: str) -> str:
    """Return the error as one line of at most MAX_TEXT characters, without colors and frames."""
    text = _BLANKS.sub(" ", _FRAMES.sub(" ", without_escapes(output))).strip()
    return text.removeprefix("Error: ")[:MAX_TEXT]


def without_escapes(text: str) -> str:
    """Return the text without the escape sequences of a terminal."""
    return _ESCAPES.sub("", text)


def _bytes(number: str, unit: str) -> int:
    return round(float(number) * _THOUSANDS[unit.upper()])


class Lines:
    """Splits output into lines; a carriage return ends a line, too, since progress bars are redrawn with it."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, block: bytes, *, is_last: bool = False) -> Iterator[str]:
        """Yield the non-empty lines that are complete, without escapes; with ``is_last`` also the last line."""
        parts = _LINE_ENDS.split(self._rest + self._decoder.decode(block, is_last))
        self._rest = "" if is_last else parts.pop()[-_LONGEST_LINE:]
        for part in parts:
            if line := without_escapes(part).strip():
                yield line
