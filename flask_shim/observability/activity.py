"""What the server does now and did lately: requests in flight and ended, the last hour by minutes, the last error."""

from __future__ import annotations

import operator
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, astuple, dataclass
from itertools import chain
from typing import Any, NamedTuple

from flask import Flask

from flask_shim.observability.access_log import recorder_of
from flask_shim.observability.client_names import client_name
from flask_shim.observability.logs import recent_lines
from flask_shim.observability.metrics import Slots
from flask_shim.observability.progress import Progress
from flask_shim.observability.request_context import DONE, RequestRecord

Row = dict[str, Any]

KEPT_REQUESTS = 100
KEPT_MINUTES = 60
MAX_TEXT = 500

_KEY = "flask_shim.activity"
_OWN_PATHS = ("/shim", "/docs", "/openapi.json", "/metrics", "/health", "/ping", "/ready")
"""Requests of the operator and of health checks, which are not shown."""


@dataclass(slots=True)
class Sums:
    """Counts of requests that have ended; its fields are columns of the history. Times are in seconds."""

    requests: int = 0
    errors: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    timed_tokens: int = 0
    """Output tokens of answers whose generation time is known, which was ``generation_seconds``."""
    generation_seconds: float = 0.0
    first_tokens: int = 0
    """Answers whose time to the first token is known."""
    first_token_seconds: float = 0.0

    def add(self, record: RequestRecord) -> None:
        """Count a request that has ended."""
        self.requests += 1
        self.errors += record.outcome.startswith("error")
        self.prompt_tokens += record.tokens_in or 0
        self.cached_tokens += record.cached_tokens or 0
        self.output_tokens += record.tokens_out or 0
        if (first := record.first_token_seconds) is not None:
            self.first_tokens += 1
            self.first_token_seconds += first
            if record.tokens_out:
                self.timed_tokens += record.tokens_out
                self.generation_seconds += record.seconds - first

    def __add__(self, other: Sums) -> Sums:
        """Return the counts of both."""
        return Sums(*map(operator.add, astuple(self), astuple(other)))

    def to_json(self) -> dict[str, Any]:
        """Return the counts, and the means of the times; None where there is nothing to take the mean of."""
        rate = self.timed_tokens / self.generation_seconds if self.generation_seconds else None
        first = self.first_token_seconds / self.first_tokens if self.first_tokens else None
        return {**asdict(self), "tokens_per_second": rate, "time_to_first_token_seconds": first}


class Snapshot(NamedTuple):
    """The activity of one process at one moment; it is sent between workers."""

    running: list[Row]
    ended: list[Row]
    minutes: list[tuple[int, Sums]]
    """When each minute of the last hour began, in seconds since 1970, and the answers that ended in it."""
    last_error: Row | None
    slots: dict[str, int]
    started_at: float


class Activity:
    """The activity of one process, and through ``ask_others`` that of the other workers."""

    def __init__(self, open_requests: Iterable[RequestRecord], slots: Slots, backend_url: str) -> None:
        """Start without a past; ``open_requests`` always has the requests in flight.

        ``backend_url`` is empty if there are several LM Studios: a request has one once it was chosen.
        """
        self.ask_others: Callable[[str, str], Iterable[Any]] = lambda *_: ()
        """Returns what the other workers answer to a question: that of :meth:`answer`."""
        self.other_workers = 0
        self.progress = Progress()
        self._started_at = time.time()
        self._open = open_requests
        self._slots = slots
        self._backend_url = backend_url
        self._lock = threading.Lock()
        self._ended: deque[tuple[float, RequestRecord]] = deque(maxlen=KEPT_REQUESTS)
        self._minutes: deque[tuple[int, Sums]] = deque(maxlen=KEPT_MINUTES)
        self._last_error: Row | None = None

    def note(self, record: RequestRecord) -> None:
        """Keep a request that has ended, unless it used no model and went well, as lists do many times a minute."""
        self.progress.note(record)
        outcome = record.outcome
        if (outcome == DONE and not record.model) or record.path.startswith(_OWN_PATHS):
            return
        now = time.time()
        with self._lock:
            self._ended.appendleft((now, record))
            if outcome.startswith("error"):
                self._last_error = _to_error(now, record)
            if record.model:
                start = int(now) // 60 * 60
                if not self._minutes or self._minutes[-1][0] != start:
                    self._minutes.append((start, Sums()))
                self._minutes[-1][1].add(record)

    def answer(self, question: str, argument: str) -> Any:
        """Answer another worker: ``snapshot``, ``log`` with its last lines, ``cancel`` with whether it did."""
        if question == "log":
            return recent_lines()
        return self.snapshot() if question == "snapshot" else self._cancel(argument)

    def snapshot(self) -> Snapshot:
        """Return the activity of this process."""
        records = [record for record in tuple(self._open) if not record.path.startswith(_OWN_PATHS)]
        running = [self._row(record) for record in records]
        with self._lock:
            latest, minutes = tuple(self._ended), list(self._minutes)
        ended = [self._ended_row(at, record) for at, record in latest]
        slots = {"total": self._slots.total, "in_use": self._slots.in_use, "waiting": self._slots.waiting}
        return Snapshot(running, ended, minutes, self._last_error, slots, self._started_at)

    def snapshots(self) -> list[Snapshot]:
        """Return the activity of every process; a worker that does not answer is left out."""
        return [self.snapshot(), *self.ask_others("snapshot", "")]

    def cancel(self, request_id: str) -> bool:
        """Stop a request in flight; return False if no request has that id, or nothing of it can be stopped."""
        return self._cancel(request_id) or any(self.ask_others("cancel", request_id))

    def _cancel(self, request_id: str) -> bool:
        matching = [record for record in tuple(self._open) if record.id == request_id]  # clients may repeat an id
        return sum(record.cancel() for record in matching) > 0

    def _row(self, record: RequestRecord) -> Row:
        return {
            "id": record.id,
            "client": client_name(record.user_agent),
            "client_address": record.client or None,
            "user_agent": record.user_agent[:MAX_TEXT] or None,
            "method": record.method,
            "route": record.path[:MAX_TEXT],
            "model": record.model or None,
            "backend": record.backend or self._backend_url or None,
            "phase": record.phase,
            "queue_seconds": None if record.queue_seconds is None else round(record.queue_seconds, 3),
            "prompt_tokens": record.tokens_in,
            "cached_tokens": record.cached_tokens,
            "output_tokens": record.generated_tokens,
            "tokens_per_second": record.tokens_per_second,
            "age_seconds": round(record.seconds, 3),
            "time_to_first_token_seconds": record.first_token_seconds,
            "progress_estimate": self.progress.estimate(record),
        }

    def _ended_row(self, at: float, record: RequestRecord) -> Row:
        return self._row(record) | {
            "ended_at": _iso(at),
            "status": record.status,
            "outcome": record.outcome,
            "error": record.error[:MAX_TEXT] or None,
            "prefill_tokens_per_second": record.prefill_tokens_per_second,
            "decode_tokens_per_second": record.tokens_per_second,
        }


def init_app(app: Flask, slots: Slots, backend_url: str) -> None:
    """Follow the requests of ``app``."""
    recorder = recorder_of(app)
    activity = app.extensions[_KEY] = Activity(recorder.open, slots, backend_url)
    recorder.observers.append(activity.note)


def activity_of(app: Flask) -> Activity:
    """Return the activity of an application."""
    activity: Activity = app.extensions[_KEY]
    return activity


def to_requests(snapshots: Sequence[Snapshot]) -> dict[str, list[Row]]:
    """Return the requests in flight, the oldest first, and the ended ones, the latest first."""
    running = [row for each in snapshots for row in each.running]
    ended = [row for each in snapshots for row in each.ended]
    return {
        "running": sorted(running, key=lambda row: row["age_seconds"], reverse=True),
        "ended": sorted(ended, key=lambda row: row["ended_at"], reverse=True)[:KEPT_REQUESTS],
    }


def to_status(snapshots: Sequence[Snapshot]) -> dict[str, Any]:
    """Return slots, start, last error and the minutes of the last hour in which answers ended, the oldest first."""
    since = time.time() - 60 * KEPT_MINUTES
    minutes: dict[int, Sums] = {}
    for start, sums in chain.from_iterable(each.minutes for each in snapshots):
        if start > since:
            minutes[start] = minutes.get(start, Sums()) + sums
    errors = [each.last_error for each in snapshots if each.last_error]
    return {
        "started_at": _iso(min(each.started_at for each in snapshots)),
        "slots": {name: sum(each.slots[name] for each in snapshots) for name in ("total", "in_use", "waiting")},
        "last_error": max(errors, key=lambda error: error["at"], default=None),
        "last_hour": [_to_minute(start, sums.to_json()) for start, sums in sorted(minutes.items())],
    }


def _to_minute(start: int, sums: Row) -> Row:
    means = {name: sums[name] for name in ("tokens_per_second", "time_to_first_token_seconds")}
    return {"minute": _iso(start), "streams": sums["requests"], **means}


def _to_error(at: float, record: RequestRecord) -> Row:
    """Return the error of a request; what the shim says after the first sentence is what to do."""
    message, _, remedy = record.error[:MAX_TEXT].partition(". ")
    return {
        "at": _iso(at),
        "request_id": record.id,
        "status": record.status,
        "message": message,
        "remedy": remedy or None,
    }


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
