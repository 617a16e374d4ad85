"""Estimate how far a model is with loading or with reading a prompt, from how long both took before.

LM Studio reports neither for chats: its progress events exist only on ``/api/v1/chat``, which takes no tools and no
earlier answers.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from flask_shim.observability.request_context import RequestRecord

MOST_MODELS = 64
LEAST_TOKENS = 200
"""Shorter prompts tell more about the request than about the model."""

_DECAY = 0.8
_ALMOST = 0.99


@dataclass(slots=True)
class _Speed:
    """What was measured of one model; earlier prompts count less and less, long ones more than short ones."""

    tokens: float = 0.0
    seconds: float = 0.0
    load_seconds: float | None = None

    def add(self, tokens: int, seconds: float) -> None:
        self.tokens = _DECAY * self.tokens + tokens
        self.seconds = _DECAY * self.seconds + seconds


class Progress:
    """The measured speeds of the models of one process. Safe to use from any thread."""

    def __init__(self) -> None:
        """Start without any."""
        self._speeds: dict[str, _Speed] = {}

    def note(self, record: RequestRecord) -> None:
        """Measure a request that has ended."""
        speed = self._speeds.get(record.model) or _Speed()
        if record.load_seconds is not None:
            speed.load_seconds = record.load_seconds
        rate, tokens = record.prefill_tokens_per_second, (record.tokens_in or 0) - (record.cached_tokens or 0)
        if rate and tokens >= LEAST_TOKENS:
            speed.add(tokens, tokens / rate)
        if record.model and (speed.seconds or speed.load_seconds) and len(self._speeds) < MOST_MODELS:
            self._speeds[record.model] = speed

    def estimate(self, record: RequestRecord) -> float | None:
        """Return the share of its present phase that a request has probably behind it, None if nothing is known."""
        speed = self._speeds.get(record.model)
        if speed is None or record.phase_ns is None:
            return None
        seconds = ((record.ended_ns or time.perf_counter_ns()) - record.phase_ns) / 1e9
        if record.phase == "loading" and speed.load_seconds:
            return min(_ALMOST, seconds / speed.load_seconds)
        if record.phase == "reading the prompt" and speed.seconds and record.estimate_tokens is not None:
            return min(_ALMOST, seconds * speed.tokens / speed.seconds / max(1, record.estimate_tokens()))
        return None

    def describe(self, record: RequestRecord) -> str:
        """Return what a request waits for, such as ``reading the prompt, about 40 % (estimate)``."""
        share = self.estimate(record)
        return record.phase if share is None else f"{record.phase}, about {100 * share:.0f} % (estimate)"
