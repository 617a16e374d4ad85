"""Format findings as text and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from flask_shim.doctor.findings import Level, Section, count, plural

_STYLES: dict[Level, dict[str, Any]] = {
    Level.OK: {"fg": "green"},
    Level.NOTE: {"fg": "cyan"},
    Level.WARN: {"fg": "yellow", "bold": True},
    Level.FAIL: {"fg": "red", "bold": True},
}

_MARK_WIDTH = max(len(level.value) for level in Level)
_INDENT = " " * (_MARK_WIDTH + 4)
_ARROW = "> "


def to_lines(section: Section, width: int) -> Iterator[str]:
    """Yield the lines of one section for a terminal of ``width`` columns."""
    yield click.style(section.title, bold=True)
    for finding in section.findings:
        mark = click.style(finding.level.value.ljust(_MARK_WIDTH), **_STYLES[finding.level])
        first, *rest = _wrapped(finding.text, width, _INDENT, _INDENT)
        yield f"  {mark}  {first.lstrip()}"
        yield from rest
        if finding.remedy:
            yield from _wrapped(finding.remedy, width, _INDENT + _ARROW, _INDENT + " " * len(_ARROW))
    yield ""


def _wrapped(text: str, width: int, first: str, other: str) -> list[str]:
    # Addresses and commands are copied, so they must stay whole.
    wrapper = textwrap.TextWrapper(
        width, initial_indent=first, subsequent_indent=other, break_long_words=False, break_on_hyphens=False
    )
    return wrapper.wrap(text) or [first]


def to_summary(sections: Sequence[Section]) -> str:
    """Return the last line."""
    failures, warnings = count(sections, Level.FAIL), count(sections, Level.WARN)
    if not failures and not warnings:
        return click.style("All is well.", fg="green", bold=True)
    parts = [plural(number, noun) for number, noun in ((failures, "failure"), (warnings, "warning")) if number]
    return click.style(" and ".join(parts) + ".", fg="red" if failures else "yellow", bold=True)


def to_json(sections: Iterable[Section]) -> dict[str, Any]:
    """Return all findings, and their number by level."""
    sections = list(sections)
    return {
        "counts": {level.value: count(sections, level) for level in Level},
        "findings": [
            {
                "section": section.title,
                "level": finding.level.value,
                "code": finding.code,
                "text": finding.text,
                "remedy": finding.remedy or None,
            }
            for section in sections
            for finding in section.findings
        ],
    }
