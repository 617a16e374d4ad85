"""What the shim promises of its speed, as ratios within one run, and whether a run kept it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from tests.benchmarks.rounds import Row
from tests.benchmarks.targets import NAIVE, NGINX, OURS

Rows = Mapping[tuple[str, str], Row]
"""Rows by the names of scenario and target."""

Values = Callable[[Rows], list[float]]
"""A number of each round, in ascending order; empty where it was not measured."""


@dataclass(frozen=True, slots=True)
class Goal:
    """One promise: the middle one of the values is at least, or at most, ``limit``."""

    text: str
    values: Values
    is_kept_by: Callable[[float, float], bool]
    limit: float


@dataclass(frozen=True, slots=True)
class Judged:
    """A goal and what the rounds of a run gave."""

    goal: Goal
    values: list[float]

    @property
    def is_kept(self) -> bool:
        """Whether the run kept it."""
        return self.goal.is_kept_by(median(self.values), self.goal.limit)


def judge(rows: Iterable[Row]) -> list[Judged]:
    """Return the goals that the rows allow to judge."""
    by_name = {(row.scenario.name, row.target): row for row in rows}
    judged = (Judged(goal, goal.values(by_name)) for goal in GOALS)
    return [one for one in judged if one.values]


def _over(other: str, scenario: str, name: str) -> Values:
    """Return ours, divided by another target's."""

    def values(rows: Rows) -> list[float]:
        ours = rows.get((scenario, OURS))
        return ours.ratios(name, rows.get((scenario, other))) if ours else []

    return values


def _cpu_of_32(scenario: str) -> Values:
    """Return the CPU per token, divided by that of 32 streams."""

    def values(rows: Rows) -> list[float]:
        ours = rows.get((scenario, OURS))
        return ours.ratios("cpu_us", rows.get(("paced-32", OURS))) if ours else []

    return values


def _added(other: str, scenario: str, name: str) -> Values:
    """Return ours, less another target's in the same round."""

    def values(rows: Rows) -> list[float]:
        pair = [rows.get((scenario, target)) for target in (OURS, other)]
        rounds = zip(*(row.rounds for row in pair if row), strict=False) if all(pair) else ()
        numbers = [tuple(getattr(one, name) for one in both) for both in rounds]
        return sorted(ours - theirs for ours, theirs in numbers if ours is not None and theirs is not None)

    return values


def _ours(scenario: str, name: str, unit: float = 1.0) -> Values:
    def values(rows: Rows) -> list[float]:
        ours = rows.get((scenario, OURS))
        numbers = [getattr(one, name) for one in ours.rounds] if ours else []
        return sorted(number / unit for number in numbers if number is not None)

    return values


def _faults(rows: Rows) -> list[float]:
    return sorted(float(sum(row.faults.values())) for (_, target), row in rows.items() if target == OURS)[-1:]


_AT_LEAST, _AT_MOST = operator.ge, operator.le

GOALS = (
    Goal("first token, CPU, times naive, at most", _over(NAIVE, "first", "cpu_us"), _AT_MOST, 0.6),
    Goal("first token, ms more than nginx, at most", _added(NGINX, "first", "first_ms"), _AT_MOST, 3.0),
    Goal(
        "first token beside 32 streams, ms more than nginx, at most",
        _added(NGINX, "first-32", "first_ms"),
        _AT_MOST,
        25.0,
    ),
    Goal(
        "whole answers, 8 clients, requests/s, times naive, at least", _over(NAIVE, "whole-8", "rate"), _AT_LEAST, 2.0
    ),
    Goal("32 streams, CPU per token, times naive, at most", _over(NAIVE, "paced-32", "cpu_us"), _AT_MOST, 0.75),
    Goal("128 streams, tokens/s, times nginx, at least", _over(NGINX, "paced-128", "rate"), _AT_LEAST, 0.95),
    Goal("128 streams, CPU per token, times that of 32, at most", _cpu_of_32("paced-128"), _AT_MOST, 1.1),
    Goal("500 streams, tokens/s, times nginx, at least", _over(NGINX, "paced-500", "rate"), _AT_LEAST, 0.9),
    Goal("500 streams, CPU per token, times that of 32, at most", _cpu_of_32("paced-500"), _AT_MOST, 1.3),
    Goal("500 streams, resident MB, at most", _ours("paced-500", "memory_bytes", 1e6), _AT_MOST, 150.0),
    Goal("faults in a scenario, at most", _faults, _AT_MOST, 0.0),
    Goal("burst of 1 stream, tokens/s, times naive, at least", _over(NAIVE, "burst-1", "rate"), _AT_LEAST, 8.0),
    Goal("burst of 1 stream, CPU per token, times naive, at most", _over(NAIVE, "burst-1", "cpu_us"), _AT_MOST, 0.2),
    Goal("burst of 32 streams, tokens/s, times naive, at least", _over(NAIVE, "burst-32", "rate"), _AT_LEAST, 8.0),
    Goal("burst on /v1, tokens/s, times nginx, at least", _over(NGINX, "v1", "rate"), _AT_LEAST, 0.8),
    Goal("/api/version, requests/s, times naive, at least", _over(NAIVE, "version", "rate"), _AT_LEAST, 2.0),
    Goal("/api/tags, requests/s, times naive, at least", _over(NAIVE, "tags", "rate"), _AT_LEAST, 2.0),
    Goal("/api/show, requests/s, times naive, at least", _over(NAIVE, "show", "rate"), _AT_LEAST, 2.0),
)
