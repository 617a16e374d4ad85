"""Progress is estimated from earlier requests, and never claims to be complete."""

from __future__ import annotations

import pytest

from flask_shim.observability import progress as progress_module
from flask_shim.observability import request_context
from flask_shim.observability.progress import MOST_MODELS, Progress
from flask_shim.observability.request_context import RequestRecord


@pytest.fixture
def clock(monkeypatch):
    """Return a function that lets seconds pass."""
    now = [0]
    for module in (progress_module, request_context):
        monkeypatch.setattr(module.time, "perf_counter_ns", lambda: now[0])

    def wait(seconds):
        now[0] += int(seconds * 1e9)

    return wait


def read_prompt(clock, progress, seconds, tokens, model="m", cached=None):
    record = RequestRecord()
    record.set_model(model)
    record.begin_prompt()
    clock(seconds)
    record.begin_output()
    record.set_usage(tokens, 5, cached)
    record.end()
    progress.note(record)


def reading(tokens, model="m"):
    record = RequestRecord()
    record.set_model(model)
    record.estimate_tokens = lambda: tokens
    record.begin_prompt()
    return record


def test_reading_is_estimated_from_the_speed_of_earlier_prompts(clock):
    progress = Progress()
    read_prompt(clock, progress, 10, 1000)
    record = reading(4000)
    clock(10)
    assert progress.estimate(record) == pytest.approx(0.25)
    assert progress.describe(record) == "reading the prompt, about 25 % (estimate)"
    clock(100)
    assert progress.estimate(record) == 0.99


def test_cached_tokens_and_short_prompts_do_not_count(clock):
    progress = Progress()
    read_prompt(clock, progress, 10, 11_000, cached=10_000)
    read_prompt(clock, progress, 9, 12)
    record = reading(1000)
    clock(5)
    assert progress.estimate(record) == pytest.approx(0.5)


def test_loading_is_estimated_from_the_last_load(clock):
    progress = Progress()
    record = RequestRecord()
    record.set_model("m")
    record.begin_load()
    clock(20)
    record.begin_prompt()
    record.end()
    progress.note(record)
    record = RequestRecord()
    record.set_model("m")
    record.begin_load()
    clock(5)
    assert progress.estimate(record) == pytest.approx(0.25)
    assert progress.describe(record) == "loading, about 25 % (estimate)"


def test_nothing_is_estimated_without_a_measurement(clock):
    progress = Progress()
    record = reading(1000)
    clock(5)
    assert progress.estimate(record) is None
    assert progress.describe(record) == "reading the prompt"


def test_number_of_models_is_limited(clock):
    progress = Progress()
    for number in range(MOST_MODELS + 5):
        read_prompt(clock, progress, 1, 1000, model=f"m{number}")
    assert progress.estimate(reading(1000, f"m{MOST_MODELS}")) is None
    assert progress.estimate(reading(1000, "m0")) is not None
