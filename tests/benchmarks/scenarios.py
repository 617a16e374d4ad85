"""What is measured: one table, and the request each scenario sends to a target."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from tests.benchmarks.load import Load
from tests.benchmarks.targets import NAIVE, Speech, Target
from tests.benchmarks.wire import MODEL, request

_GRACE_SECONDS = 4.0
"""How much later than its tokens a paced stream may end before it is given up."""

_MOST_SECONDS = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One thing to measure.

    ``requests`` is their number in all, on ``connections`` connections; each brings ``tokens`` tokens, one every
    ``pace_us`` microseconds (0: at once). ``beside`` paced streams run meanwhile. The naive shim gets only
    ``naive_share`` of the work where it would take too long for all of it.
    """

    name: str
    title: str
    route: str
    connections: int = 1
    requests: int = 1
    tokens: int = 0
    pace_us: int = 0
    beside: int = 0
    naive_share: float = 1.0

    @property
    def streams(self) -> int:
        """How many requests are open at once."""
        return self.connections + self.beside

    @property
    def unit(self) -> str:
        """What the rate counts."""
        return "tokens" if self.tokens > 1 and self.route != "whole" else "requests"

    def shortened(self, factor: float) -> Scenario:
        """Return the same with about ``factor`` of the work."""
        if self.requests > self.connections:
            return replace(self, requests=max(self.connections, math.ceil(self.requests * factor)))
        return replace(self, tokens=max(1, math.ceil(self.tokens * factor)))

    def for_target(self, name: str) -> Scenario:
        """Return the work that a target gets."""
        return self.shortened(self.naive_share) if name == NAIVE and self.naive_share < 1 else self

    def load(self, target: Target) -> Load:
        """Return what the load client has to do."""
        text, end = _request(self.route, target.speech, self.tokens, self.pace_us)
        ideal = self.tokens * self.pace_us / 1e6 * math.ceil(self.requests / self.connections)
        return Load(
            port=target.port,
            request=text,
            connections=self.connections,
            requests=self.requests,
            tokens=self.tokens,
            end=end,
            is_paced=bool(self.pace_us),
            seconds=1.5 * ideal + _GRACE_SECONDS if self.pace_us else _MOST_SECONDS,
        )


def beside(streams: int, target: Target) -> Load:
    """Return the load that runs beside a measurement: it lasts as long as anything may."""
    pace_us, tokens = 10_000, int(_MOST_SECONDS * 100)
    text, end = _request("chat", target.speech, tokens, pace_us)
    return Load(target.port, text, streams, streams, tokens, end, True, 2 * _MOST_SECONDS)


def _request(route: str, speech: Speech, tokens: int, pace_us: int) -> tuple[str, str]:
    """Return the text of a request and what the answer must end with."""
    if route in _LISTS:
        if speech == "lmstudio":
            return request("GET", "/api/v1/models"), "]}"
        return request(*_LISTS[route]), "}"
    is_stream = route != "whole"
    messages = [{"role": "user", "content": "Why is the sky blue?"}]
    if speech == "lmstudio" or route == "v1":
        asked = {"model": MODEL, "messages": messages, "stream": is_stream, "max_tokens": tokens, "seed": pace_us}
        return request("POST", "/v1/chat/completions", asked), "[DONE]" if is_stream else "}"
    options = {"num_predict": tokens, "seed": pace_us}
    asked = {"model": MODEL, "messages": messages, "stream": is_stream, "options": options}
    return request("POST", "/api/chat", asked), "true" if is_stream else "}"


_LISTS: dict[str, tuple[Any, ...]] = {
    "version": ("GET", "/api/version"),
    "tags": ("GET", "/api/tags"),
    "show": ("POST", "/api/show", {"model": MODEL}),
}
"""The calls that generate nothing. Direct and through nginx it is LM Studio's model list each time."""


def _unpaced(streams: int, **more: Any) -> Scenario:
    title = f"{streams} stream{'s' if streams > 1 else ''}, as fast as they go"
    return Scenario(name=f"unpaced-{streams}", title=title, route="chat", connections=streams, **more)


def _paced(streams: int, milliseconds: int, tokens: int, **more: Any) -> Scenario:
    return Scenario(
        name=f"paced-{streams}",
        title=f"{streams} streams, a token every {milliseconds} ms",
        route="chat",
        connections=streams,
        requests=streams,
        tokens=tokens,
        pace_us=milliseconds * 1000,
        **more,
    )


def _calls(route: str, naive_share: float) -> Scenario:
    title = f"/api/{route}, 8 clients"
    return Scenario(name=route, title=title, route=route, connections=8, requests=3000, naive_share=naive_share)


SCENARIOS = (
    _unpaced(1, requests=10, tokens=20_000, naive_share=0.2),
    _unpaced(32, requests=32, tokens=15_000, naive_share=0.1),
    _unpaced(128, requests=128, tokens=4_000, naive_share=0.1),
    _paced(32, 10, tokens=500),
    _paced(128, 20, tokens=400),
    _paced(500, 100, tokens=100, naive_share=0.3),
    Scenario(name="first", title="first token, alone", route="chat", requests=150, tokens=1, pace_us=1),
    Scenario(
        name="first-32",
        title="first token, 32 streams beside it",
        route="chat",
        requests=60,
        tokens=1,
        pace_us=1,
        beside=32,
    ),
    Scenario(
        name="v1",
        title="/v1 passed on, 1 stream, as fast as it goes",
        route="v1",
        requests=20,
        tokens=20_000,
        naive_share=0.2,
    ),
    Scenario(
        name="whole",
        title="chat without a stream, 8 clients",
        route="whole",
        connections=8,
        requests=1500,
        tokens=20,
        naive_share=0.5,
    ),
    _calls("version", 1.0),
    _calls("tags", 0.3),
    _calls("show", 0.3),
)
