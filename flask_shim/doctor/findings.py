"""What the doctor finds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How much a finding matters."""

    OK = "ok"
    NOTE = "note"
    """Good to know, or not looked at."""
    WARN = "warn"
    """It works, but not as well as it could."""
    FAIL = "fail"
    """It does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found. ``code`` names its kind for programs; ``remedy`` says what there is to do about it."""

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
    """Say that something is as it should be."""
    return Finding(Level.OK, code, text)


def note(code: str, text: str, remedy: str = "") -> Finding:
    """Say what is neither good nor bad."""
    return Finding(Level.NOTE, code, text, remedy)


def warn(code: str, text: str, remedy: str) -> Finding:
    """Say what could be better."""
    return Finding(Level.WARN, code, text, remedy)


def fail(code: str, text: str, remedy: str) -> Finding:
    """Say what does not work."""
    return Finding(Level.FAIL, code, text, remedy)


def count(sections: Iterable[Section], level: Level) -> int:
    """Count the findings of one level."""
    return sum(finding.level is level for section in sections for finding in section.findings)


def has_failed(findings: Iterable[Finding]) -> bool:
    """Tell whether something does not work."""
    return any(finding.level is Level.FAIL for finding in findings)
