"""Measuring: the targets take turns in every round, so that what disturbs the machine disturbs all of them."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import IO, cast

from tests.benchmarks.children import end, environment, module
from tests.benchmarks.load import RUNNING, Load, Outcome
from tests.benchmarks.scenarios import Scenario
from tests.benchmarks.targets import Target, Targets
from tests.benchmarks.usage import cpu_seconds, memory_bytes

_LOOK_SECONDS = 0.1
_END_SECONDS = 10.0


class ClientFailed(Exception):
    """The load client broke; what was measured means nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One measurement. ``cpu_us`` is the target's CPU time for one token or request; None: cannot be known."""

    rate: float
    cpu_us: float | None
    first_ms: float | None
    first_p99_ms: float | None
    lag_ms: float | None
    lag_p99_ms: float | None
    memory_bytes: int | None
    stream_bytes: float | None
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


def measure_all(
    targets: Targets, names: Iterable[str], scenario: Scenario, repeats: int, tell: Callable[[str], None]
) -> list[Row]:
    """Measure every target ``repeats`` times in turns, after a short round that does not count."""
    rounds: dict[str, list[Measured]] = {name: [] for name in names if scenario.is_for(name)}
    for number in range(repeats + 1):
        for name, measured in rounds.items():
            tell(f"{scenario.title}: {name}, {f'round {number} of {repeats}' if number else 'warming up'}")
            target = targets.of(name, scenario.distance, scenario.streams, scenario.settings)
            measured.append(_measure(target, scenario if number else scenario.warm_up, targets.folder))
    return [Row(scenario, name, tuple(measured[1:])) for name, measured in rounds.items()]


def _measure(target: Target, scenario: Scenario, folder: Path) -> Measured:
    if scenario.beside:
        with _running_beside(scenario.load_beside(target), folder):
            return _measure_alone(target, scenario, folder)
    return _measure_alone(target, scenario, folder)


def _measure_alone(target: Target, scenario: Scenario, folder: Path) -> Measured:
    load = scenario.load(target)
    before = cpu_seconds(target.pid)
    outcome, memory = _run(load, target, folder)
    after = cpu_seconds(target.pid)
    count = outcome.tokens if scenario.unit == "tokens" else outcome.requests
    used = None if before is None or after is None or scenario.beside else after - before
    return Measured(
        rate=count / outcome.seconds,
        cpu_us=used / count * 1e6 if used is not None and count else None,
        first_ms=outcome.first_ms,
        first_p99_ms=outcome.first_p99_ms,
        lag_ms=outcome.lag_ms,
        lag_p99_ms=outcome.lag_p99_ms,
        memory_bytes=memory,
        stream_bytes=None if memory is None else (memory - (target.idle_bytes or 0)) / scenario.connections,
        faults=outcome.faults,
    )


def _run(load: Load, target: Target, folder: Path) -> tuple[Outcome, int | None]:
    """Run the load client; return what it says, and the most memory that the target had meanwhile."""
    memory = memory_bytes(target.pid)
    with _client(load, folder) as process:
        deadline = time.monotonic() + load.seconds + load.grace + _END_SECONDS
        while process.poll() is None:
            if time.monotonic() > deadline:
                raise ClientFailed("the load client does not end")
            memory = max(memory or 0, memory_bytes(target.pid) or 0) or None
            time.sleep(_LOOK_SECONDS)
        lines = _output(process).read().decode().splitlines()
    if process.returncode or not lines:
        raise ClientFailed(f"the load client ended with {process.returncode}")
    return Outcome(**json.loads(lines[-1])), memory


@contextmanager
def _running_beside(load: Load, folder: Path) -> Iterator[None]:
    """Run another load for the block, which starts when all its streams flow."""
    with _client(load, folder) as process:
        if _output(process).readline().strip() != RUNNING.encode():
            raise ClientFailed("the streams beside it did not start")
        yield


@contextmanager
def _client(load: Load, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".json", delete=False, encoding="utf-8") as file:
        json.dump(asdict(load), file)
    command = module("tests.benchmarks.load", file.name)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder, env=environment())
    try:
        yield process
    finally:
        end(process)
        Path(file.name).unlink()


def _output(process: subprocess.Popen[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", process.stdout)  # a pipe: _client asks for one
