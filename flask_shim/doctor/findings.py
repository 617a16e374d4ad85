"""Findings of the doctor, and their levels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum


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


def ok(code: str, text: str) -> Finding:
    """Return a finding without a problem."""
    return Finding(Level.OK, code, text)


def note(code: str, text: str, remedy: str = "") -> Finding:
    """Return information."""
    return Finding(Level.NOTE, code, text, remedy)


def warn(code: str, text: str, remedy: str) -> Finding:
    """Return what works, but could work better."""
    return Finding(Level.WARN, code, text, remedy)


def fail(code: str, text: str, remedy: str) -> Finding:
    """Return what does not work."""
    return Finding(Level.FAIL, code, text, remedy)


def count(sections: Iterable[Section], level: Level) -> int:
    """Count the findings of one level."""
    return sum(finding.level is level for section in sections for finding in section.findings)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as "1 model" or "2 models"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def has_failed(findings: Iterable[Finding]) -> bool:
    """Return whether one of the findings is a failure."""
    return any(finding.level is Level.FAIL for finding in findings)
