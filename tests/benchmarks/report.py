"""What was measured, as a table for the terminal, as Markdown, as data."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from tests.benchmarks.goals import Judged
from tests.benchmarks.rounds import Row
from tests.benchmarks.targets import DIRECT, NAIVE, NGINX

HEADS = (
    "target",
    "per second",
    "of nginx'",
    "of naive's",
    "CPU µs each",
    "first token ms",
    "added ms",
    "p99 ms",
    "MB",
    "kB/stream",
    "faults",
)
NOTES = (
    "Medians of the rounds; ratios are medians of each round's ratio. CPU is the target's own, for one token or "
    "request. First token: from connecting to receiving it. Added: between sending and receiving a token, less what "
    "it is without anything between (p99: without that subtraction). MB: most resident memory; kB/stream: what it "
    "grew by since the start, by streams. Direct and through nginx, every list is LM Studio's own."
)


def cells(row: Row, others: dict[str, Row]) -> list[str]:
    """Return a row of the table; ``others`` are the scenario's rows by target."""
    direct = others.get(DIRECT)
    lag, base = row.value("lag_ms"), direct.value("lag_ms") if direct else None
    is_wide = row.scenario.connections >= _MANY
    return [
        row.target,
        _number(row.value("rate"), "{:,.0f}"),
        _number(row.ratio("rate", others.get(NGINX)), "{:.2f}"),
        _number(row.ratio("rate", others.get(NAIVE)), "{:.2f}"),
        _number(row.value("cpu_us"), "{:.1f}"),
        _number(row.value("first_ms"), "{:.1f}"),
        _number(None if lag is None or base is None else lag - base, "{:.2f}"),
        _number(row.value("lag_p99_ms"), "{:.1f}"),
        _number(_scaled(row.value("memory_bytes"), 1e6), "{:.0f}"),
        _number(_scaled(row.value("stream_bytes"), 1e3) if is_wide else None, "{:.0f}"),
        ", ".join(f"{count} {text}" for text, count in row.faults.items()),
    ]


_MANY = 100
"""From so many streams on, what memory grew by says something about one."""


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def _scaled(value: float | None, unit: float) -> float | None:
    return None if value is None else value / unit


def sections(rows: Iterable[Row]) -> list[tuple[str, list[list[str]]]]:
    """Return the tables: a title each, and cells."""
    by_scenario: dict[str, list[Row]] = {}
    for row in rows:
        by_scenario.setdefault(row.scenario.name, []).append(row)
    return [(f"{same[0].scenario.title} ({same[0].scenario.unit})", _table(same)) for same in by_scenario.values()]


def _table(rows: Sequence[Row]) -> list[list[str]]:
    others = {row.target: row for row in rows}
    return [cells(row, others) for row in rows]


def to_rich(title: str, table: Iterable[Sequence[str]]) -> Table:
    """Return a table for the terminal."""
    shown = Table(title=title, title_justify="left", title_style="bold")
    for head in HEADS:
        shown.add_column(head, justify="left" if head in ("target", "faults") else "right")
    for row in table:
        shown.add_row(*row)
    return shown


def to_markdown(rows: Iterable[Row], judged: Iterable[Judged]) -> str:
    """Return everything as Markdown."""
    lines = [f"| scenario | {' | '.join(HEADS)} |", "| --- | --- |" + " ---: |" * (len(HEADS) - 2) + " --- |"]
    for title, table in sections(rows):
        lines += [f"| {title if not number else ''} | {' | '.join(row)} |" for number, row in enumerate(table)]
    lines += ["", NOTES, "", "| goal | limit | reached | kept |", "| --- | ---: | ---: | --- |"]
    lines += [
        f"| {one.goal.text} | {one.goal.limit:g} | {one.value:.2f} | {'yes' if one.is_kept else '**no**'} |"
        for one in judged
    ]
    return "\n".join([*lines, "", machine_line()])


def to_data(rows: Iterable[Row], judged: Iterable[Judged]) -> dict[str, Any]:
    """Return everything as JSON-ready data, the single rounds included."""
    return {
        "machine": machine_line(),
        "rows": [
            {
                "scenario": row.scenario.name,
                "title": row.scenario.title,
                "unit": row.scenario.unit,
                "target": row.target,
                "rounds": [asdict(one) for one in row.rounds],
            }
            for row in rows
        ],
        "goals": [{"goal": one.goal.text, "limit": one.goal.limit, "value": one.value} for one in judged],
    }


def machine_line() -> str:
    """Return what was measured on."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{python}, {platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} processors"
