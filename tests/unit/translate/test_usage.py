"""Counts and durations of an answer: the engine's own where it tells them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_shim.lmstudio.completion_events import Usage
from flask_shim.translate.answer.usage import (
    Totals,
    context_for,
    estimate_prompt_tokens,
    is_cut,
    needed_tokens,
    to_totals,
)


def test_durations_pass_between_the_timestamps():
    totals = to_totals(
        finish_reason="stop", usage=Usage(7, 5), timings=None, deltas=9, timestamps=(100, 250, 300, 600, 1000)
    )
    assert totals == Totals(
        finish_reason="stop",
        prompt_tokens=7,
        completion_tokens=5,
        total_ns=900,
        load_ns=150,
        prompt_ns=300,
        completion_ns=400,
    )


def test_the_engines_own_clock_is_preferred():
    timings = {"prompt_ms": 12.5, "predicted_ms": 40.25}
    totals = to_totals(finish_reason="stop", usage=Usage(7, 5), timings=timings, deltas=9, timestamps=(0, 1, 1, 2, 3))
    assert (totals.prompt_ns, totals.completion_ns) == (12500000, 40250000)


@pytest.mark.parametrize("value", [0, -1, None, "12", float("nan"), float("inf"), 1e12, [], {}])
def test_implausible_timings_are_ignored(value):
    timings = {"prompt_ms": value, "predicted_ms": value}
    totals = to_totals(finish_reason="stop", usage=Usage(7, 5), timings=timings, deltas=9, timestamps=(0, 1, 1, 3, 7))
    assert (totals.prompt_ns, totals.completion_ns) == (2, 4)


@given(
    st.lists(st.integers(0, 10**12), min_size=5, max_size=5),
    st.none() | st.builds(Usage, st.integers(0), st.integers(0)),
)
def test_durations_are_whole_and_never_zero(marks, usage):
    totals = to_totals(
        finish_reason="stop", usage=usage, timings={"prompt_ms": 0.00001}, deltas=3, timestamps=tuple(sorted(marks))
    )
    durations = (totals.total_ns, totals.load_ns, totals.prompt_ns, totals.completion_ns)
    assert all(type(value) is int and value >= 1 for value in durations)


def test_without_usage_the_received_deltas_are_counted():
    totals = to_totals(finish_reason="stop", usage=None, timings=None, deltas=9, timestamps=(0, 1, 1, 2, 3))
    assert (totals.prompt_tokens, totals.completion_tokens) == (0, 9)
    assert (totals.cached_tokens, totals.reasoning_tokens) == (None, None)


def test_details_are_those_of_the_backend():
    usage = Usage(7, 5, cached_tokens=6, reasoning_tokens=0)
    totals = to_totals(finish_reason="stop", usage=usage, timings=None, deltas=9, timestamps=(0, 1, 1, 2, 3))
    assert (totals.cached_tokens, totals.reasoning_tokens) == (6, 0)


@pytest.mark.parametrize(
    ("payload", "tokens"),
    [
        ({"messages": []}, 1),
        ({"messages": [{"role": "user", "content": "x" * 400}]}, 100),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "x" * 40}]}]}, 10),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x" * 400}}]}]}, 1),
        ({"messages": [{"role": "user", "content": "x" * 40}], "tools": [{"a": "x" * 32}]}, 20),
        ({"messages": [{"content": "", "reasoning_content": "x" * 40, "tool_calls": [{"a": "x" * 30}]}]}, 20),
        ({"messages": [{"content": [{"type": "input_audio", "input_audio": {"data": "x" * 400}}]}]}, 1),
        ({"prompt": "x" * 40}, 10),
        ({"prompt": ["x" * 40, "x" * 40]}, 20),
    ],
)
def test_prompt_tokens_are_estimated_from_the_texts(payload, tokens):
    assert estimate_prompt_tokens(payload) == tokens


@pytest.mark.parametrize(
    ("tokens", "context"), [(1, 4096), (4096, 4096), (4097, 6144), (6145, 8192), (9000, 12288), (100_000, 131_072)]
)
def test_contexts_grow_in_steps(tokens, context):
    assert context_for(tokens) == context


@pytest.mark.parametrize(
    ("max_tokens", "reported", "tokens"), [(None, 0, 2148), (50, 0, 150), (-1, 0, 2148), (32000, 5000, 7048)]
)
def test_prompt_and_answer_need_room(max_tokens, reported, tokens):
    payload = {"messages": [{"content": "x" * 400}], "max_tokens": max_tokens}
    assert needed_tokens(payload, reported) == tokens


@pytest.mark.parametrize(
    ("prompt_tokens", "estimate", "context", "cut"),
    [
        (3000, 10_000, 4096, True),
        (3000, 3900, 4096, False),  # it fits
        (4000, 5000, 4096, False),  # within the error of the estimate
        (5000, 10_000, 4096, False),  # was read whole
        (0, 10_000, 4096, False),  # not counted
    ],
)
def test_a_count_far_below_the_estimate_is_a_cut_prompt(prompt_tokens, estimate, context, cut):
    assert is_cut(prompt_tokens, estimate, context) is cut
