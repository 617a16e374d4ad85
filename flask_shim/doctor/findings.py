"""Findings of the doctor, and their levels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial


class Level(Enum):
    """How much a finding matters."""

    OK = "ok"
    NOTE = "note"
    """Information, or not checked."""
    WARN = "warn"
    """It works, but not as well as it could."""
    FAIL = "fail"
    """It does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check. ``code`` identifies its kind for programs; ``remedy`` says what to do."""

    level: Level
    code: str
    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """The findings about one subject."""

    title: str
    findings: Sequence[Finding]


ok = partial(Finding, Level.OK)
note = partial(Finding, Level.NOTE)
warn = partial(Finding, Level.WARN)
fail = partial(Finding, Level.FAIL)


def count(sections: Iterable[Section], level: Level) -> int:
    """Count the findings of one level."""
    return sum(finding.level is level for section in sections for finding in section.findings)


def plural(number: int, noun: str) -> str:
    """Return a number with its noun, such as "1 model" or "2 models"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def has_failed(findings: Iterable[Finding]) -> bool:
    """Return whether one of the findings is a failure."""
    return any(finding.level is Level.FAIL for finding in findings)
