"""What the shim promises of its speed, as ratios within one run, and whether a run kept it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from tests.benchmarks.rounds import Row
from tests.benchmarks.targets import DIRECT, NAIVE, NGINX, OURS

Rows = Mapping[tuple[str, str], Row]
"""Rows by the names of scenario and target."""

Value = Callable[[Rows, str], float | None]
"""A number of a scenario, None where it was not measured."""


@dataclass(frozen=True, slots=True)
class Goal:
    """One promise: ``value`` of the scenario is at least, or at most, ``limit``."""

    text: str
    scenario: str
    value: Value
    is_kept_by: Callable[[float, float], bool]
    limit: float


@dataclass(frozen=True, slots=True)
class Judged:
    """A goal and what a run gave."""

    goal: Goal
    value: float

    @property
    def is_kept(self) -> bool:
        """Whether the run kept it."""
        return self.goal.is_kept_by(self.value, self.goal.limit)


def judge(rows: Iterable[Row]) -> list[Judged]:
    """Return the goals that the rows allow to judge."""
    by_name = {(row.scenario.name, row.target): row for row in rows}
    values = ((goal, goal.value(by_name, goal.scenario)) for goal in GOALS)
    return [Judged(goal, value) for goal, value in values if value is not None]


def _over(other: str, name: str) -> Value:
    def value(rows: Rows, scenario: str) -> float | None:
        ours = rows.get((scenario, OURS))
        return ours.ratio(name, rows.get((scenario, other))) if ours else None

    return value


def _added(name: str) -> Value:
    def value(rows: Rows, scenario: str) -> float | None:
        ours, direct = rows.get((scenario, OURS)), rows.get((scenario, DIRECT))
        mine, theirs = (row.value(name) if row else None for row in (ours, direct))
        return None if mine is None or theirs is None else mine - theirs

    return value


def _ours(name: str, unit: float = 1.0) -> Value:
    def value(rows: Rows, scenario: str) -> float | None:
        ours = rows.get((scenario, OURS))
        number = ours.value(name) if ours else None
        return None if number is None else number / unit

    return value


def _faults(rows: Rows, scenario: str) -> float | None:
    ours = rows.get((scenario, OURS))
    return float(sum(ours.faults.values())) if ours else None


_MB = 1e6

GOALS = (
    Goal("tokens/s of one stream, times naive, at least", "unpaced-1", _over(NAIVE, "rate"), operator.ge, 8.0),
    Goal("CPU for a token of one stream, times naive, at most", "unpaced-1", _over(NAIVE, "cpu_us"), operator.le, 0.2),
    Goal("/v1 tokens/s, times nginx, at least", "v1", _over(NGINX, "rate"), operator.ge, 0.8),
    Goal("128 paced streams, tokens/s times nginx, at least", "paced-128", _over(NGINX, "rate"), operator.ge, 0.95),
    Goal("500 paced streams, tokens/s times nginx, at least", "paced-500", _over(NGINX, "rate"), operator.ge, 0.9),
    Goal("500 paced streams, faults, at most", "paced-500", _faults, operator.le, 0.0),
    Goal("500 paced streams, resident MB, at most", "paced-500", _ours("memory_bytes", _MB), operator.le, 150.0),
    Goal("first token alone, ms added, at most", "first", _added("first_ms"), operator.le, 3.0),
    Goal("first token beside 32 streams, ms added, at most", "first-32", _added("first_ms"), operator.le, 25.0),
    Goal("/api/version requests/s, times naive, at least", "version", _over(NAIVE, "rate"), operator.ge, 2.0),
    Goal("/api/tags requests/s, times naive, at least", "tags", _over(NAIVE, "rate"), operator.ge, 2.0),
    Goal("/api/show requests/s, times naive, at least", "show", _over(NAIVE, "rate"), operator.ge, 2.0),
)
