"""What was measured, as tables for the terminal, as Markdown, as data."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from rich.table import Table as RichTable

from tests.benchmarks.goals import Judged
from tests.benchmarks.rounds import Row
from tests.benchmarks.targets import NAIVE, NGINX, OURS
from tests.benchmarks.usage import WITHOUT

_SHOWN = {OURS: "flask-shim", NAIVE: "naive shim"}
_COMPARED = (NGINX, NAIVE)

NOTES = (
    "The numbers are medians of the rounds. The last columns: ours divided by the other, the median of each round's "
    "ratio, with the least and the greatest. First token: from the request until it is there, connecting included. CPU "
    "is that of the process itself. nginx passes LM Studio's own API on, and its model list in place of /api lists."
)


@dataclass(frozen=True, slots=True)
class Measure:
    """What one table is about: a number of Measured, divided by ``unit``."""

    title: str
    name: str
    form: str = "{:,.1f}"
    unit: float = 1.0


MEASURES = (
    Measure("First token, or whole answer: ms", "first_ms"),
    Measure("Tokens or requests per second", "rate", "{:,.0f}"),
    Measure("CPU for a token or request: µs", "cpu_us", "{:,.0f}"),
    Measure("From sending a token to receiving it, 99 of 100 tokens: ms", "lag_p99_ms"),
    Measure("Resident memory: MB", "memory_bytes", "{:,.0f}", 1e6),
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts; the first column names what the others are about."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(rows: Sequence[Row], judged: Iterable[Judged]) -> Iterator[Table]:
    """Yield one table for each measure, what went wrong, and the goals."""
    targets = list(dict.fromkeys(row.target for row in rows))
    scenarios: dict[str, dict[str, Row]] = {}
    for row in rows:
        scenarios.setdefault(row.scenario.title, {})[row.target] = row
    for measure in MEASURES:
        shown = [(title, same) for title, same in scenarios.items() if _has(measure, same.values())]
        others = [other for other in _COMPARED if other in targets]
        heads = [measure.title, *(_SHOWN.get(name, name) for name in targets), *(f"of {other}" for other in others)]
        yield Table(heads, [[title, *_numbers(measure, same, targets, others)] for title, same in shown])
    faults = [(row.scenario.title, row.target, row.faults) for row in rows if row.faults]
    yield Table(("Faults", "of", "number"), [(title, target, _counted(counts)) for title, target, counts in faults])
    yield Table(("Goal", "limit", "reached", "kept"), [_goal(one) for one in judged])


def _has(measure: Measure, same: Iterable[Row]) -> bool:
    """Tell whether a scenario belongs into the table: the first token only where an answer is waited for."""
    if measure.name == "first_ms" and all(row.scenario.unit == "tokens" for row in same):
        return False
    return any(row.value(measure.name) is not None for row in same)


def _numbers(measure: Measure, same: dict[str, Row], targets: Sequence[str], others: Sequence[str]) -> Iterator[str]:
    for name in targets:
        value = same[name].value(measure.name) if name in same else None
        yield "" if value is None else measure.form.format(value / measure.unit)
    for other in others:
        yield spread(same[OURS].ratios(measure.name, same.get(other))) if OURS in same else ""


def spread(values: Sequence[float]) -> str:
    """Return the middle one of ascending values, with the first and the last."""
    if not values:
        return ""
    middle = f"{median(values):.2f}"
    return f"{middle} ({values[0]:.2f} to {values[-1]:.2f})" if len(values) > 1 else middle


def _counted(faults: dict[str, int]) -> str:
    return ", ".join(f"{count} {text}" for text, count in faults.items())


def _goal(one: Judged) -> Sequence[str]:
    return (one.goal.text, f"{one.goal.limit:g}", spread(one.values), "yes" if one.is_kept else "no")


def to_rich(table: Table) -> RichTable:
    """Return a table for the terminal."""
    shown = RichTable()
    for number, head in enumerate(table.heads):
        shown.add_column(head, justify="right" if number else "left")
    for row in table.rows:
        shown.add_row(*row)
    return shown


def to_markdown(table: Table) -> str:
    """Return a table as Markdown."""
    lines = [table.heads, ["---", *["---:"] * (len(table.heads) - 1)], *table.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


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
        "goals": [{"goal": one.goal.text, "limit": one.goal.limit, "values": one.values} for one in judged],
    }


def machine_line() -> str:
    """Return what was measured on."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    load = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    system = f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} processors"
    return f"{python}, {system}{load}. {WITHOUT}".rstrip()
