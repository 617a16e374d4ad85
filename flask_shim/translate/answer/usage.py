"""Counts of tokens: those of a finished answer, with its durations, and estimates of what a prompt needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from flask_shim.lmstudio.completion_events import Usage

_CHARACTERS_PER_TOKEN = 4

_ANSWER_TOKENS = 2048
"""The room for an answer. A larger ``max_tokens`` is what an agent allows at most, not what its answers need."""

_LEAST_CONTEXT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """How an answer ended. Counts are tokens, durations nanoseconds.

    ``prompt_tokens`` include the ``cached_tokens``; these and ``reasoning_tokens`` are None if the backend omits them.
    """

    finish_reason: str | None = None
    prompt_tokens: int = 0
    cached_tokens: int | None = None
    completion_tokens: int = 0
    reasoning_tokens: int | None = None
    total_ns: int = 0
    load_ns: int = 0
    prompt_ns: int = 0
    completion_ns: int = 0


def to_totals(
    *,
    finish_reason: str | None,
    usage: Usage | None,
    timings: Mapping[str, Any] | None,
    deltas: int,
    timestamps: tuple[int, int, int, int, int],
) -> Totals:
    """Return the totals. ``timestamps`` are start, model ready, prompt sent, first event and end, in ns.

    Without ``usage``, the ``deltas`` that were received stand for the tokens of the answer. Durations are the
    engine's own (``timings`` of llama.cpp, in milliseconds) if it sends them, else the time between the timestamps,
    and at least 1: Ollama's Go clients treat 0 as missing.
    """
    start, ready, sent, first, end = timestamps
    usage = usage or Usage(0, deltas)
    clock = timings or {}
    return Totals(
        finish_reason=finish_reason,
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
        completion_tokens=usage.completion_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        total_ns=max(1, end - start),
        load_ns=max(1, ready - start),
        prompt_ns=_to_nanoseconds(clock.get("prompt_ms")) or max(1, first - sent),
        completion_ns=_to_nanoseconds(clock.get("predicted_ms")) or max(1, end - first),
    )


def estimate_prompt_tokens(payload: Mapping[str, Any]) -> int:
    """Estimate the prompt tokens of a chat or a completion, at four characters per token as Ollama does."""
    prompt, tools = payload.get("messages") or payload.get("prompt"), payload.get("tools")
    characters = _count_text(prompt) + (len(orjson.dumps(tools)) if tools else 0)
    return max(1, characters // _CHARACTERS_PER_TOKEN)


def needed_tokens(payload: Mapping[str, Any], prompt_tokens: int = 0) -> int:
    """Return about how many tokens a prompt, which has at least ``prompt_tokens``, and its answer need."""
    limit = payload.get("max_tokens")
    room = min(limit, _ANSWER_TOKENS) if isinstance(limit, int) and limit > 0 else _ANSWER_TOKENS
    return max(prompt_tokens, estimate_prompt_tokens(payload)) + room


def context_for(tokens: int) -> int:
    """Return a context for that many tokens: 4096, 6144, 8192, 12288 and so on, since each reload takes long."""
    context = _LEAST_CONTEXT
    while context < tokens:
        context = context * 3 // 2 if context & (context - 1) == 0 else context // 3 * 4
    return context


def is_cut(prompt_tokens: int, estimate: int, context: int) -> bool:
    """Return whether LM Studio seems to have left out a part of a prompt, which it does without a message.

    It answers with status 200 then. An estimate can be wrong by a fourth.
    """
    return 0 < prompt_tokens <= context < estimate and 4 * prompt_tokens < 3 * estimate


def _count_text(value: Any) -> int:
    """Count the characters of a text, of messages, or of the parts of a content."""
    if isinstance(value, str):
        return len(value)
    return sum([_count_item(item) for item in value]) if isinstance(value, list) else 0


def _count_item(item: Any) -> int:
    """Count the characters of a message or a part: text, thinking and calls, no data of pictures and sounds."""
    if not isinstance(item, dict):
        return _count_text(item)
    content, thinking, calls = item.get("content"), item.get("reasoning_content"), item.get("tool_calls")
    count = len(content) if isinstance(content, str) else _count_text(content or item.get("text"))
    if thinking:
        count += _count_text(thinking)
    return count + len(orjson.dumps(calls)) if calls else count


def _to_nanoseconds(milliseconds: Any) -> int | None:
    """Return the duration in nanoseconds, None if it is not a plausible number of milliseconds."""
    if isinstance(milliseconds, int | float) and 0 < milliseconds < 1e9:
        return int(milliseconds * 1_000_000)
    return None
