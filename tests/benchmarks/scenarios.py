"""What is measured: one table, what users feel first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tests.benchmarks.bodies import request_for
from tests.benchmarks.load import Load
from tests.benchmarks.targets import DIRECT, OURS, ROUND_TRIP_MS, Distance, Target

_GRACE_SECONDS = 10.0
"""How much longer than planned an answer may take before it is given up."""

_BESIDE_PACE_US = 10_000
_BESIDE_SECONDS = 120.0
"""Longer than any measurement takes."""

_WARM_UP_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One thing to measure.

    ``connections`` clients send requests of ``kind`` for ``seconds``; an answer has ``tokens`` tokens, one every
    ``pace_us`` microseconds (0: at once). If ``is_long``, each sends one request, whose answer lasts as long. If
    ``is_cut``, what is not complete at the end is cut off. ``beside`` paced streams run meanwhile.
    """

    name: str
    title: str
    kind: str = "chat"
    connections: int = 1
    seconds: float = 1.2
    tokens: int = 1
    pace_us: int = 1
    is_long: bool = False
    is_cut: bool = False
    beside: int = 0
    distance: Distance = ""
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def streams(self) -> int:
        """How many requests are open at once."""
        return self.connections + self.beside

    @property
    def unit(self) -> str:
        """What the rate counts."""
        return "tokens" if self.is_long or self.is_cut else "requests"

    def shortened(self, factor: float) -> Scenario:
        """Return the same for ``factor`` of the time."""
        tokens = math.ceil(self.tokens * factor) if self.is_long else self.tokens
        return replace(self, seconds=self.seconds * factor, tokens=tokens)

    @property
    def warm_up(self) -> Scenario:
        """What runs before the measurements."""
        return self.shortened(_WARM_UP_SHARE)

    def is_for(self, target: str) -> bool:
        """Tell whether the scenario makes sense for a target."""
        if self.settings:
            return target == OURS
        return target != DIRECT or self.distance != "https"  # the load client has no TLS

    def load(self, target: Target) -> Load:
        """Return what the load client has to do."""
        request = request_for(self.kind, target.speech, self.tokens, self.pace_us)
        return Load(
            port=target.port,
            request=request.text,
            connections=self.connections,
            requests=self.connections if self.is_long else None,
            tokens=self.tokens if self.kind not in _WITHOUT_TOKENS else 0,
            end=request.end,
            repeats=request.repeats,
            pace_seconds=self.pace_us / 1e6 if self.is_long else 0.0,
            seconds=self.seconds,
            grace=0.0 if self.is_cut else _GRACE_SECONDS,
        )

    def load_beside(self, target: Target) -> Load:
        """Return the load that runs meanwhile, until it is ended."""
        tokens = int(_BESIDE_SECONDS * 1e6 / _BESIDE_PACE_US)
        scenario = Scenario(name="beside", title="", connections=self.beside, tokens=tokens, pace_us=_BESIDE_PACE_US)
        return replace(scenario, seconds=_BESIDE_SECONDS, is_long=True).load(target)


_WITHOUT_TOKENS = ("version", "tags", "show")


def _paced(streams: int, tokens_per_second: int, seconds: float, kind: str = "chat", route: str = "") -> Scenario:
    return Scenario(
        name=f"paced-{streams}" if kind == "chat" else kind,
        title=f"{route}{_counted(streams, 'stream')} at {tokens_per_second} tokens/s",
        kind=kind,
        connections=streams,
        seconds=seconds,
        tokens=int(seconds * tokens_per_second),
        pace_us=1_000_000 // tokens_per_second,
        is_long=True,
    )


def _burst(streams: int, kind: str = "chat", route: str = "") -> Scenario:
    name = f"burst-{streams}" if kind == "chat" else kind
    title = f"{route}{_counted(streams, 'stream')}, as fast as possible"
    return Scenario(name=name, title=title, kind=kind, connections=streams, tokens=20_000, pace_us=0, is_cut=True)


def _whole(clients: int) -> Scenario:
    title = f"whole answer of 20 tokens, {_counted(clients, 'client')}"
    return Scenario(name=f"whole-{clients}", title=title, kind="whole", connections=clients, tokens=20, pace_us=0)


def _far(distance: Distance) -> Scenario:
    title = f"first token, LM Studio {ROUND_TRIP_MS} ms away, {distance}"
    return Scenario(name=f"far-{distance}", title=title, distance=distance)


def _list(kind: str) -> Scenario:
    return Scenario(name=kind, title=f"/api/{kind}, 8 clients", kind=kind, connections=8, seconds=1.0)


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' if number > 1 else ''}"


_NONE_KEPT = {"SHIM_MAX_KEEPALIVE_CONNECTIONS": "0"}

SCENARIOS = (
    Scenario(name="first", title="first token"),
    Scenario(name="first-32", title="first token beside 32 streams", beside=32),
    _whole(1),
    _whole(8),
    _paced(1, 50, 2),
    _paced(8, 50, 2),
    _paced(32, 100, 4),
    _paced(128, 50, 6),
    _paced(500, 10, 8),
    _paced(8, 50, 2, "messages", "/v1/messages, "),
    _paced(8, 50, 2, "responses", "/v1/responses, "),
    Scenario(name="agent", title="agent's prompt of 30,000 tokens, 60 tools: first token", kind="agent"),
    Scenario(name="agent-4mb", title="agent's prompt of 4 MB, 60 tools: first token", kind="agent-4mb", seconds=2.0),
    Scenario(name="vision", title="picture of 10 MB: first token", kind="vision", seconds=2.0),
    _far("http"),
    _far("https"),
    replace(_far("https"), name="far-new", title="the same, a new connection each time", settings=_NONE_KEPT),
    _list("version"),
    _list("tags"),
    _list("show"),
    _burst(1),
    _burst(32),
    _burst(1, "v1", "/v1 passed on, "),
)
