"""Does anything grow? ``python -m tests.benchmarks.soak``: a thousand streams, a third of them cut at random.

A shim that keeps no idle connections and an LM Studio of a few lines, all on loopback. Clients leave in the middle, LM
Studio breaks off in the middle, the rest goes well. After every part it tells what the shim holds and how much memory
it has; it fails if anything is left at the end, or if memory grows by more than a mebibyte per thousand streams.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where the tests keep what they share

from support.answers import event, streams
from support.fake_lmstudio import CHAT, FakeLMStudio
from support.peer import Peer
from support.processes import ShimProcess
from support.resources import Resources, memory_of, resources_of, wait_until_released
from support.wire import Wire

PARTS = 10
MEBIBYTE = 1 << 20
MOST_GROWTH = MEBIBYTE
"""Bytes per thousand streams."""

TOKENS = 40
SETTLE_SECONDS = 10.0
_NONE_IDLE = {"SHIM_MAX_KEEPALIVE_CONNECTIONS": "0"}
"""Otherwise the number of open files depends on how many requests came at once."""
ASK = {"model": "tiny", "messages": [{"role": "user", "content": "Hello"}]}
ROUTES = (("/api/chat", ASK), ("/v1/chat/completions", ASK | {"stream": True}), ("/api/chat", ASK | {"stream": False}))


class Measured(NamedTuple):
    """The shim after so many streams; ``memory`` is in bytes."""

    streams: int
    resources: Resources
    memory: int


class Soak:
    """Asks for streams, some of which come to a bad end."""

    def __init__(self, shim: ShimProcess, studio: FakeLMStudio, seed: int) -> None:
        """Ask nothing yet."""
        self.outcomes: Counter[str] = Counter()
        self._shim = shim
        self._random = random.Random(seed)
        studio.answers[CHAT] = self._answer

    def part(self, count: int, at_once: int) -> None:
        """Ask for so many streams, some at once, and read them to their ends."""
        kinds = [self._random.choice(("leaves", "resets", "dies", "good", "good", "good", "good", "good", "good"))
                 for _ in range(count)]  # fmt: skip
        with ThreadPoolExecutor(at_once) as pool:
            self.outcomes.update(pool.map(self._stream, kinds, [self._random.randrange(4000) for _ in kinds]))

    def _stream(self, kind: str, size: int) -> str:
        path, body = ROUTES[size % len(ROUTES)]
        text = f"{kind} {size}"
        with Wire(self._shim.port) as wire:
            wire.ask(path, body | {"messages": [{"role": "user", "content": text}]})
            if kind in ("leaves", "resets"):
                while len(wire.received) < size and (block := wire.sock.recv(256)):
                    wire.received += block
                wire.reset() if kind == "resets" else wire.close()
                return "client left"
            answer = wire.answer()
        return "error" if b'"error"' in answer.body else f"status {answer.status}"

    def _answer(self, peer: Peer) -> None:
        kind, _, size = str(peer.asked[-1].json["messages"][-1]["content"]).partition(" ")
        if kind == "dies":
            whole = b"".join(event("tok ") for _ in range(TOKENS))
            streams(whole[: int(size)], ends=False)(peer)
        else:
            streams(*[step for _ in range(TOKENS) for step in ("tok ", 0.002)])(peer)


def soak(count: int, at_once: int, seed: int, warm_up: int) -> tuple[list[Measured], Counter[str]]:
    """Run it; return what was measured before and after each part, and what became of the streams.

    Each of many threads gets memory of its own from the system, so it takes ``warm_up`` streams until all have theirs.
    """
    with FakeLMStudio() as studio, ShimProcess(studio.url, **_NONE_IDLE) as shim:
        work = Soak(shim, studio, seed)
        work.part(max(warm_up, at_once), at_once)
        work.outcomes.clear()
        idle = wait_until_released(shim, resources_of(shim)._replace(slots=0, calls=0, connections=0), SETTLE_SECONDS)
        measured = [Measured(0, idle, memory_of(shim))]
        for number in range(1, PARTS + 1):
            work.part(count // PARTS, at_once)
            resources = wait_until_released(shim, idle, SETTLE_SECONDS)
            measured.append(Measured(number * (count // PARTS), resources, memory_of(shim)))
        return measured, work.outcomes


def growth(measured: list[Measured]) -> float:
    """Return by how many bytes per thousand streams memory grew."""
    return (measured[-1].memory - measured[0].memory) * 1000 / measured[-1].streams


@click.command()
@click.option("--streams", "count", type=click.IntRange(PARTS), default=1000, show_default=True)
@click.option("--warm-up", type=click.IntRange(0), default=4000, show_default=True, help="Streams before all others.")
@click.option("--at-once", type=click.IntRange(1, 64), default=32, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
def main(count: int, at_once: int, seed: int, warm_up: int) -> None:
    """Ask for many streams, cut a third of them, and see whether anything is left."""
    measured, outcomes = soak(count, at_once, seed, warm_up)
    click.echo(f"{'streams':>8} {'MiB':>7} " + " ".join(f"{name:>11}" for name in Resources._fields))
    for one in measured:
        held = " ".join(f"{value:>11}" for value in one.resources)
        click.echo(f"{one.streams:>8} {one.memory / MEBIBYTE:>7.1f} {held}")
    click.echo(", ".join(f"{outcome}: {number}" for outcome, number in sorted(outcomes.items())))
    click.echo(f"growth: {growth(measured) / MEBIBYTE:.2f} MiB per 1,000 streams")
    if not measured[-1].resources.fits(measured[0].resources) or growth(measured) > MOST_GROWTH:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
