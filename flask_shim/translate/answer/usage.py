"""What the last record of an answer counts: tokens, and the time they took. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_DONE_REASONS = {"length": "length"}
"""Finish reasons that Ollama has a word for besides "stop"; tool calls end with "stop" too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What the last record tells. Durations are nanoseconds, at least 1 for what took place."""

    finish_reason: str | None
    total_duration: int
    load_duration: int
    prompt_eval_count: int
    prompt_eval_duration: int
    eval_count: int
    eval_duration: int
    context: tuple[int, ...] = ()

    @property
    def done_reason(self) -> str:
        """Ollama's word for why the answer ended."""
        return _DONE_REASONS.get(self.finish_reason or "", "stop")

    def metrics(self) -> dict[str, int]:
        """Return counts and durations in Ollama's order; like Ollama's, a count of nothing is left out."""
        told = {
            "total_duration": self.total_duration,
            "load_duration": self.load_duration,
            "prompt_eval_count": self.prompt_eval_count,
            "prompt_eval_duration": self.prompt_eval_duration,
            "eval_count": self.eval_count,
            "eval_duration": self.eval_duration,
        }
        return {name: value for name, value in told.items() if value}


def to_totals(
    *,
    finish_reason: str | None,
    usage: tuple[int, int] | None,
    timings: Mapping[str, Any] | None,
    deltas: int,
    timestamps: tuple[int, int, int, int],
    context: tuple[int, ...] = (),
) -> Totals:
    """Return the final counts. ``marks`` are the moments (ns) of start, model ready, first event and end.

    Counts are the backend's ``usage`` (prompt, completion). A backend that sends none leaves what can be counted
    here: the deltas of the answer, and nothing of the prompt. Durations are the engine's own where it tells them
    (``timings``, milliseconds), else what passed between the marks.
    """
    start, ready, first, end = timestamps
    prompt_tokens, tokens = usage or (0, deltas)
    clock = timings or {}
    return Totals(
        finish_reason=finish_reason,
        total_duration=max(1, end - start),
        load_duration=max(1, ready - start),
        prompt_eval_count=prompt_tokens,
        prompt_eval_duration=_milliseconds(clock.get("prompt_ms")) or max(1, first - ready),
        eval_count=tokens,
        eval_duration=_milliseconds(clock.get("predicted_ms")) or max(1, end - first),
        context=context,
    )


def _milliseconds(value: Any) -> int | None:
    """Return milliseconds as nanoseconds, None for what is no duration."""
    return int(value * 1_000_000) if isinstance(value, int | float) and 0 < value < 1e9 else None
