"""A client that costs little. It keeps connections busy until enough was asked, or for a time.

``python -m tests.benchmarks.load FILE`` does what the file says, beside a measurement. It prints a line once all
connections have brought a token, and one JSON object when it is done.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.benchmarks import wire
from tests.benchmarks.asking import Asking
from tests.benchmarks.children import end_with_parent

RUNNING = "running"
_READ_BYTES = 1 << 18
_ASKED_AT_ONCE = 16


@dataclass(frozen=True, kw_only=True)
class Load:
    """What to do: the JSON of the file.

    After ``seconds`` nothing more is asked, and what was asked has ``grace`` seconds to be answered. Each answer must
    bring ``tokens`` tokens and have ``end`` near its end, where its text may be repeated. Without ``grace``, answers
    that are not complete are cut off, and that is no fault. With a pace, a token comes every ``pace_seconds``, and the
    connections start within the first of them: tokens of real streams do not all come at the same moment.
    """

    port: int
    request: str
    connections: int
    requests: int | None
    tokens: int
    end: str
    repeats: bool
    pace_seconds: float
    seconds: float
    grace: float


@dataclass
class Outcome:
    """What came of it: milliseconds from request to first token, and from sending a token to receiving it."""

    requests: int = 0
    tokens: int = 0
    bytes: int = 0
    seconds: float = 0.0
    first_ms: float | None = None
    first_p99_ms: float | None = None
    lag_ms: float | None = None
    lag_p99_ms: float | None = None
    faults: dict[str, int] = field(default_factory=dict)


class Client:
    """The loop over all connections."""

    def __init__(self, load: Load, on_running: Callable[[], None] | None = None) -> None:
        """Connect to nothing yet; ``on_running`` is called when as many first tokens as connections have come."""
        self.outcome = Outcome()
        self._load = load
        self._on_running = on_running
        self._request = load.request.encode()
        self._end = load.end.encode()
        self._first_ms: list[float] = []
        self._lag_ms: list[float] = []
        self._faults: Counter[str] = Counter()
        self._selector = selectors.DefaultSelector()
        self._open: set[Asking] = set()
        self._idle: deque[Asking | None] = deque([None] * load.connections)  # None: not connected
        self._asked = 0
        self._to_ask = sys.maxsize if load.requests is None else load.requests

    def run(self) -> Outcome:
        """Ask until everything was answered or time is up."""
        started = now = time.perf_counter()
        asks_until = started + self._load.seconds
        while now < asks_until + self._load.grace and (self._to_ask or self._unanswered):
            if now >= asks_until:
                self._to_ask = 0
            self._ask(self._due_after(now - started))
            for key, _ in self._selector.select(0 if self._idle and self._to_ask else 0.02):
                self._read(key.data)
            now = time.perf_counter()
        self._close()
        return self._outcome_after(now - started)

    def _close(self) -> None:
        for asking in self._open:
            asking.sock.close()
        self._selector.close()

    @property
    def _unanswered(self) -> int:
        return self._load.connections - len(self._idle)

    def _outcome_after(self, seconds: float) -> Outcome:
        outcome = self.outcome
        outcome.seconds = seconds
        outcome.first_ms, outcome.first_p99_ms = _percentiles(self._first_ms)
        outcome.lag_ms, outcome.lag_p99_ms = _percentiles(self._lag_ms)
        if self._unanswered and self._load.grace:
            self._faults["not answered in time"] += self._unanswered
        outcome.faults = dict(self._faults)
        return outcome

    def _due_after(self, seconds: float) -> int:
        """Return how many requests may be sent now."""
        load = self._load
        due = min(_ASKED_AT_ONCE, len(self._idle), self._to_ask)
        if seconds >= load.pace_seconds:
            return due
        return min(due, int(load.connections * seconds / load.pace_seconds) + 1 - self._asked)

    def _ask(self, count: int) -> None:
        for _ in range(count):
            asking = self._idle.popleft()
            self._asked += 1
            self._to_ask -= 1
            asked_ns = time.perf_counter_ns()
            try:
                asking = asking or self._connected()
                asking.begin(asked_ns)  # connecting counts as waiting
                asking.sock.sendall(self._request)
            except OSError as exc:
                self._over(asking, type(exc).__name__, closes=True)

    def _connected(self) -> Asking:
        sock = socket.create_connection(("127.0.0.1", self._load.port), timeout=5)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        asking = Asking(sock)
        self._open.add(asking)
        self._selector.register(sock, selectors.EVENT_READ, asking)
        return asking

    def _read(self, asking: Asking) -> None:
        try:
            block = asking.sock.recv(_READ_BYTES)
        except OSError as exc:
            self._over(asking, type(exc).__name__, closes=True)
            return
        self.outcome.bytes += len(block)
        if body := asking.body_of(block):
            self._take(asking, body)
        if asking.is_complete:
            self._over(asking, asking.fault(self._load.tokens, self._end), closes=asking.closes)
        elif not block:
            self._over(asking, asking.fault(self._load.tokens, self._end) or "cut", closes=True)

    def _take(self, asking: Asking, body: bytes) -> None:
        now_ns = time.perf_counter_ns()
        tokens = body.count(wire.MARK)
        if self._load.repeats:
            tokens = min(tokens, self._load.tokens - asking.tokens)
        asking.tokens += tokens
        self.outcome.tokens += tokens
        if not asking.first_ns and (tokens or not self._load.tokens):
            asking.first_ns = now_ns
            self._first((now_ns - asking.asked_ns) / 1e6)
        if self._load.pace_seconds:
            stamps = asking.stamps_in(body)[: tokens if self._load.repeats else None]
            self._lag_ms.extend((now_ns - sent_ns) / 1e6 for sent_ns in stamps)

    def _first(self, waited_ms: float) -> None:
        self._first_ms.append(waited_ms)
        if self._on_running and len(self._first_ms) == self._load.connections:
            self._on_running()

    def _over(self, asking: Asking | None, fault: str, *, closes: bool) -> None:
        self.outcome.requests += 1
        if fault:
            self._faults[fault] += 1
        if asking is not None and closes:
            self._selector.unregister(asking.sock)
            asking.sock.close()
            self._open.remove(asking)
            asking = None
        self._idle.append(asking)


def _percentiles(values: list[float]) -> tuple[float | None, float | None]:
    """Return the middle one and the one that 99 of 100 do not exceed."""
    if not values:
        return None, None
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]


def main() -> None:
    """Do what the file says."""
    end_with_parent()
    load = Load(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    outcome = Client(load, lambda: print(RUNNING, flush=True)).run()  # noqa: T201 the parent waits for it
    print(json.dumps(asdict(outcome)))  # noqa: T201


if __name__ == "__main__":
    main()
