"""What do more LM Studios cost, and is work shared evenly? ``python -m tests.benchmarks.several_backends``.

First one shim answers short requests from 1, 10 and 50 of them: CPU for each. Then several shims with the most of them
stream to thousands of clients at a model's pace: nothing may be lost. All are processes on loopback.
"""

from __future__ import annotations

import json
import random
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import click
import requests

from tests.benchmarks.bodies import request_for
from tests.benchmarks.children import child, end, environment, free_port, module
from tests.benchmarks.load import Client, Load, Outcome
from tests.benchmarks.usage import cpu_seconds, peak_bytes

SECONDS = 30
GRACE_SECONDS = 60.0


class Shim(NamedTuple):
    """A running shim."""

    port: int
    pid: int


def free_ports(count: int) -> list[int]:
    """Return ports without a listener; Linux gives those from 32768 on to outgoing connections at any time."""
    ports: list[int] = []
    for port in range(random.randrange(10_000, 30_000), 32_768):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            ports.append(port)
        if len(ports) == count:
            break
    return ports


@contextmanager
def backends(count: int, folder: Path) -> Iterator[list[int]]:
    """Run so many LM Studios in one process; yield their ports."""
    ports = free_ports(count)
    with child(module("tests.benchmarks.backend", *ports), folder, port=ports[-1]):
        yield ports


@contextmanager
def shim(ports: Sequence[int], folder: Path, streams: int) -> Iterator[Shim]:
    """Run a shim before these LM Studios."""
    port = free_port()
    file = folder / f"{port}.toml"
    tables = (
        f'[[backend]]\nname = "machine{number}"\nurl = "http://127.0.0.1:{at}"\n' for number, at in enumerate(ports)
    )
    file.write_text("\n".join(tables), encoding="utf-8")
    env = {
        "SHIM_HOST": "127.0.0.1",
        "SHIM_PORT": str(port),
        "SHIM_CONFIG": str(file),
        "SHIM_DATA_DIR": str(folder / f"data-{port}"),
        "SHIM_MAX_STREAMS": str(streams),
    }
    with child(module("flask_shim", "serve"), folder, port=port, env=env) as process:
        yield Shim(port, process.pid)


def load_of(at: Shim, kind: str, *, connections: int, requests: int, tokens: int, pace_us: int) -> Load:
    """Return what the load client has to do."""
    request = request_for(kind, "ollama", tokens, pace_us)
    return Load(
        port=at.port,
        request=request.text,
        connections=connections,
        requests=requests,
        tokens=tokens,
        end=request.end,
        repeats=request.repeats,
        pace_seconds=pace_us / 1e6,
        seconds=GRACE_SECONDS,
        grace=GRACE_SECONDS,
    )


def generations(port: int) -> list[int]:
    """Return how many requests each LM Studio has had, the fewest first."""
    counts: dict[str, int] = requests.get(f"http://127.0.0.1:{port}/generations", timeout=GRACE_SECONDS).json()
    return sorted(counts.values())


def cost(count: int, folder: Path, number: int) -> str:
    """Return a row of the table: CPU and time of short requests with so many LM Studios."""
    with backends(count, folder) as ports, shim(ports, folder, 64) as at:
        Client(load_of(at, "whole", connections=8, requests=200, tokens=20, pace_us=0)).run()
        before = cpu_seconds(at.pid)
        outcome = Client(load_of(at, "whole", connections=8, requests=number, tokens=20, pace_us=0)).run()
        after = cpu_seconds(at.pid)
        cpu_us = (after - before) / outcome.requests * 1e6 if before is not None and after is not None else 0
    return f"| {count} | {cpu_us:,.0f} | {outcome.requests / outcome.seconds:,.0f} | {lost(outcome)} |"


def lost(*outcomes: Outcome) -> int:
    """Return how many requests were not answered as they should."""
    return sum(sum(outcome.faults.values()) for outcome in outcomes)


def stream(count: int, streams: int, shims: int, pace: float, folder: Path) -> tuple[str, int]:
    """Stream a token every ``pace`` seconds to so many clients; return what came of it, and how many were lost."""
    each, tokens_each = streams // shims, max(6, round(SECONDS / pace))
    with ExitStack() as running:
        ports = running.enter_context(backends(count, folder))
        all_shims = [running.enter_context(shim(ports, folder, each + 20)) for _ in range(shims)]
        clients = [
            running.enter_context(
                client(
                    load_of(
                        at, "chat", connections=each, requests=each, tokens=tokens_each, pace_us=round(pace * 1_000_000)
                    ),
                    folder,
                )
            )
            for at in all_shims
        ]
        outcomes = [outcome_of(process) for process in clients]
        counts = generations(ports[0])
        cpu = sum(cpu_seconds(at.pid) or 0 for at in all_shims)
        megabytes = max(peak_bytes(at.pid) or 0 for at in all_shims) / 1e6
    tokens = sum(outcome.tokens for outcome in outcomes)
    worst = max(outcome.lag_p99_ms or 0 for outcome in outcomes)
    text = (
        f"{streams} streams through {shims} shims from {count} LM Studios: {tokens:,} tokens, {lost(*outcomes)} lost, "
        f"{counts[0]} to {counts[-1]} streams for each of {len(counts)}; {cpu / tokens * 1e6:.0f} µs of CPU per token, "
        f"at most {megabytes:.0f} MB per shim, 99 of 100 tokens within {worst:.0f} ms"
    )
    return text, lost(*outcomes)


def outcome_of(process: subprocess.Popen[Any]) -> Outcome:
    """Wait for a load client and return what it says."""
    *_, last = process.stdout or ()  # not communicate(): the client ends with its input
    return Outcome(**json.loads(last))


@contextmanager
def client(load: Load, folder: Path) -> Iterator[subprocess.Popen[Any]]:
    """Run a load client beside others."""
    file = folder / f"load-{load.port}.json"
    file.write_text(json.dumps(asdict(load)), encoding="utf-8")
    command = module("tests.benchmarks.load", file)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder, env=environment())
    try:
        yield process
    finally:
        end(process)


@click.command()
@click.option(
    "--backends", "counts", multiple=True, type=click.IntRange(1, 100), default=(1, 10, 50), show_default=True
)
@click.option("--requests", "number", type=click.IntRange(100), default=2000, show_default=True, help="Short requests.")
@click.option("--streams", type=click.IntRange(1, 10_000), default=1000, show_default=True)
@click.option("--shims", type=click.IntRange(1, 50), default=2, show_default=True, help="Processes that stream.")
@click.option("--pace", type=click.FloatRange(0.01, 10), default=1.0, show_default=True, help="Seconds for a token.")
def main(counts: tuple[int, ...], number: int, streams: int, shims: int, pace: float) -> None:
    """Measure several LM Studios behind one or more shims, print what came of it, and fail if a stream was lost."""
    with tempfile.TemporaryDirectory(prefix="shim-benchmark-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        click.echo("| LM Studios | CPU µs per request | requests/s | lost |\n| ---: | ---: | ---: | ---: |")
        for count in counts:
            click.echo(cost(count, folder, number))
        started = time.monotonic()
        text, missing = stream(max(counts), streams, shims, pace, folder)
        click.echo(f"\n{text}, in {time.monotonic() - started:.0f} s")
    if missing:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
