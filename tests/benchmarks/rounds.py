"""Measuring: the targets take turns in every round, so that what disturbs the machine disturbs all of them."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import IO, cast

from tests.benchmarks.children import end, environment, module
from tests.benchmarks.load import RUNNING, Client, Load
from tests.benchmarks.scenarios import Scenario
from tests.benchmarks.targets import Target, Targets
from tests.benchmarks.usage import cpu_seconds, peak_bytes, reset_peak

_LOOK_SECONDS = 0.1
_IDLE_SECONDS = 10.0
_IDLE_SHARE = 0.1


class ClientFailed(Exception):
    """The load beside a measurement broke; what was measured means nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One measurement. ``cpu_us`` is the target's CPU time for one token or request. None: cannot be known."""

    rate: float
    cpu_us: float | None
    first_ms: float | None
    first_p99_ms: float | None
    lag_ms: float | None
    lag_p99_ms: float | None
    memory_bytes: int | None
    faults: dict[str, int]


@dataclass(frozen=True, slots=True)
class Row:
    """What a scenario gave for one target, round by round."""

    scenario: Scenario
    target: str
    rounds: tuple[Measured, ...]

    def value(self, name: str) -> float | None:
        """Return the median of a number over the rounds, None where it cannot be known."""
        values = [getattr(one, name) for one in self.rounds]
        known = [value for value in values if value is not None]
        return float(median(known)) if known else None

    def ratios(self, name: str, other: Row | None) -> list[float]:
        """Return the rounds' ratios to another target's number, in ascending order."""
        if other is None:
            return []
        pairs = [
            (getattr(mine, name), getattr(theirs, name)) for mine, theirs in zip(self.rounds, other.rounds, strict=True)
        ]
        return sorted(mine / theirs for mine, theirs in pairs if mine is not None and theirs)

    @property
    def faults(self) -> dict[str, int]:
        """What went wrong, in all rounds."""
        texts = {text for one in self.rounds for text in one.faults}
        return {text: sum(one.faults.get(text, 0) for one in self.rounds) for text in sorted(texts)}


def measure_all(targets: Targets, names: Iterable[str], scenario: Scenario, repeats: int) -> list[Row]:
    """Measure every target ``repeats`` times in turns, after a short round that does not count."""
    rounds: dict[str, list[Measured]] = {name: [] for name in names if scenario.is_for(name)}
    for number in range(repeats + 1):
        for name, measured in rounds.items():
            target = targets.of(name, scenario.distance, scenario.streams, scenario.settings)
            measured.append(_measure(target, scenario if number else scenario.warm_up, targets.folder))
    return [Row(scenario, name, tuple(measured[1:])) for name, measured in rounds.items()]


def _measure(target: Target, scenario: Scenario, folder: Path) -> Measured:
    if scenario.beside:
        with _running_beside(scenario.load_beside(target), folder):
            return _measure_alone(target, scenario)
    return _measure_alone(target, scenario)


def _measure_alone(target: Target, scenario: Scenario) -> Measured:
    uses: list[tuple[float | None, int]] = []

    def note_use() -> None:
        count = client.outcome.tokens if scenario.unit == "tokens" else client.outcome.requests
        uses.append((cpu_seconds(target.pid), count))

    # What starting a stream costs is not to count for its tokens: CPU is that from when all streams flow.
    client = Client(scenario.load(target), note_use if scenario.is_long else None)
    reset_peak(target.pid)
    note_use()
    outcome = client.run()
    note_use()
    memory = peak_bytes(target.pid)
    if scenario.is_cut:
        _await_idle(target.pid)
    return Measured(
        rate=uses[-1][1] / outcome.seconds,
        cpu_us=None if scenario.beside else _cpu_us(*uses[-2:]),
        first_ms=outcome.first_ms,
        first_p99_ms=outcome.first_p99_ms,
        lag_ms=outcome.lag_ms,
        lag_p99_ms=outcome.lag_p99_ms,
        memory_bytes=memory,
        faults=outcome.faults,
    )


def _cpu_us(before: tuple[float | None, int], after: tuple[float | None, int]) -> float | None:
    count = after[1] - before[1]
    if before[0] is None or after[0] is None or not count:
        return None
    return (after[0] - before[0]) / count * 1e6


def _await_idle(pid: int) -> None:
    """Wait until the process does no more work for clients that have gone."""
    deadline = time.monotonic() + _IDLE_SECONDS
    while (before := cpu_seconds(pid)) is not None and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
        if (cpu_seconds(pid) or before) - before < _IDLE_SHARE * _LOOK_SECONDS:
            return


@contextmanager
def _running_beside(load: Load, folder: Path) -> Iterator[None]:
    """Run another load for the block, which starts when all its streams flow."""
    file = folder / "beside.json"
    file.write_text(json.dumps(asdict(load)), encoding="utf-8")
    command = module("tests.benchmarks.load", file)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder, env=environment())
    try:
        if cast("IO[bytes]", process.stdout).readline().strip() != RUNNING.encode():
            raise ClientFailed("the streams beside it did not start")
        yield
    finally:
        end(process)
