"""Ollama's options and keep_alive in the words and bounds of LM Studio."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_shim.translate.ollama.payloads import LONGEST_TTL_SECONDS, Defaults, to_sampling, to_ttl
from flask_shim.translate.ollama.sampling_options import _CHECKS

NOTHING = Defaults()

OPTIONS = {
    "temperature": (0.5, {"temperature": 0.5}),
    "top_p": (0.9, {"top_p": 0.9}),
    "top_k": (40, {"top_k": 40}),
    "min_p": (0.05, {"min_p": 0.05}),
    "repeat_penalty": (1.1, {"repeat_penalty": 1.1}),
    "presence_penalty": (0.5, {"presence_penalty": 0.5}),
    "frequency_penalty": (0.5, {"frequency_penalty": 0.5}),
    "num_predict": (7, {"max_tokens": 7}),
    "seed": (42, {"seed": 42}),
    "stop": (["a", "b"], {"stop": ["a", "b"]}),
    "num_ctx": (1, {}),
    "num_batch": (1, {}),
    "num_gpu": (1, {}),
    "main_gpu": (1, {}),
    "use_mmap": (True, {}),
    "num_thread": (1, {}),
    "draft_num_predict": (1, {}),
    "num_keep": (1, {}),
    "typical_p": (0.5, {}),
    "repeat_last_n": (1, {}),
}


@pytest.mark.parametrize(("name", "value", "sent"), [(name, *rest) for name, rest in OPTIONS.items()])
def test_each_option_is_sent_under_lm_studios_name_or_not_at_all(name, value, sent):
    assert to_sampling({name: value}, NOTHING) == sent


def test_every_option_of_ollama_has_its_place_here():
    assert set(OPTIONS) == set(_CHECKS)


@pytest.mark.parametrize(
    "options",
    [{"num_predict": -1}, {"num_predict": -2}, {"seed": -1}, {"stop": []}, {"mirostat": 1}, {"temperature": None}],
)
def test_values_that_mean_nothing_in_particular_are_left_out(options):
    assert to_sampling(options, NOTHING) == {}


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k", "min_p", "presence_penalty", "seed"])
def test_zero_is_a_value(name):
    assert to_sampling({name: 0}, NOTHING) == {name: 0}


@pytest.mark.parametrize(
    ("keep_alive", "defaults", "ttl"),
    [
        (None, {}, None),
        (None, {"ttl_seconds": 60}, 60),
        (None, {"ttl_seconds": math.inf}, LONGEST_TTL_SECONDS),
        (300.0, {"ttl_seconds": 60}, 300),
        (0.2, {}, 1),
        (1.5, {}, 2),
        (math.inf, {}, LONGEST_TTL_SECONDS),
        (9e9, {}, LONGEST_TTL_SECONDS),
        (0, {}, None),
        (0, {"ttl_seconds": 60}, None),
        (0, {"unload_ttl_seconds": 5}, 5),
        (0, {"unload_ttl_seconds": 9e9}, LONGEST_TTL_SECONDS),
    ],
)
def test_keep_alive_becomes_a_ttl_lm_studio_can_count(keep_alive, defaults, ttl):
    assert to_ttl(keep_alive, Defaults(**defaults)) == ttl


@given(st.none() | st.floats(min_value=0), st.floats(min_value=0), st.floats(min_value=0))
def test_a_ttl_is_a_whole_number_of_seconds_that_does_not_fire_at_once(keep_alive, ttl, unload):
    sent = to_ttl(keep_alive, Defaults(ttl_seconds=ttl, unload_ttl_seconds=unload))
    assert sent is None or (type(sent) is int and 1 <= sent * 1000 < 2**31)


@pytest.mark.parametrize(
    ("limit", "sent"), [(0, 1), (1, 1), (2**31 - 1, 2**31 - 1), (2**31, 2**31 - 1), (2**63, 2**31 - 1)]
)
def test_limit_is_at_least_one_token_and_fits_the_engine(limit, sent):
    assert to_sampling({"num_predict": limit}, NOTHING) == {"max_tokens": sent}
