"""Counts and durations of an answer: the engine's own where it tells them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_shim.translate.answer.usage import to_totals


@pytest.mark.parametrize(
    ("finish", "reason"),
    [("stop", "stop"), ("length", "length"), ("tool_calls", "stop"), (None, "stop"), ("content_filter", "stop")],
)
def test_reasons_are_ollamas_words(finish, reason):
    totals = to_totals(finish_reason=finish, usage=(1, 1), timings=None, deltas=0, timestamps=(0, 1, 2, 3))
    assert totals.done_reason == reason


def test_durations_pass_between_the_marks():
    totals = to_totals(finish_reason="stop", usage=(7, 5), timings=None, deltas=9, timestamps=(100, 250, 600, 1000))
    assert totals.metrics() == {
        "total_duration": 900,
        "load_duration": 150,
        "prompt_eval_count": 7,
        "prompt_eval_duration": 350,
        "eval_count": 5,
        "eval_duration": 400,
    }


def test_the_engines_own_clock_is_preferred():
    timings = {"prompt_ms": 12.5, "predicted_ms": 40.25}
    totals = to_totals(finish_reason="stop", usage=(7, 5), timings=timings, deltas=9, timestamps=(0, 1, 2, 3))
    assert (totals.prompt_eval_duration, totals.eval_duration) == (12500000, 40250000)


@pytest.mark.parametrize("value", [0, -1, None, "12", float("nan"), float("inf"), 1e12, [], {}])
def test_timings_that_are_none_are_not_believed(value):
    timings = {"prompt_ms": value, "predicted_ms": value}
    totals = to_totals(finish_reason="stop", usage=(7, 5), timings=timings, deltas=9, timestamps=(0, 1, 3, 7))
    assert (totals.prompt_eval_duration, totals.eval_duration) == (2, 4)


@given(st.lists(st.integers(0, 10**12), min_size=4, max_size=4), st.none() | st.tuples(st.integers(0), st.integers(0)))
def test_durations_are_whole_and_never_zero(marks, usage):
    totals = to_totals(
        finish_reason="stop", usage=usage, timings={"prompt_ms": 0.00001}, deltas=3, timestamps=tuple(sorted(marks))
    )
    durations = [value for name, value in totals.metrics().items() if name.endswith("duration")]
    assert all(type(value) is int for value in totals.metrics().values())
    assert all(value >= 1 for value in durations)


def test_without_usage_only_what_came_is_counted():
    totals = to_totals(finish_reason="stop", usage=None, timings=None, deltas=9, timestamps=(0, 1, 2, 3))
    assert (totals.prompt_eval_count, totals.eval_count) == (0, 9)
    assert "prompt_eval_count" not in totals.metrics()
