"""Options are converted, refused or ignored as Ollama does, and sent under the names of LM Studio."""

from __future__ import annotations

import pytest

from flask_shim.errors import ShimError
from flask_shim.translate.ollama.payloads import Defaults, to_sampling
from flask_shim.translate.ollama.sampling_options import _CHECKS, check_options

INTEGERS = (
    *("num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread", "draft_num_predict"),
    *("num_keep", "seed", "num_predict", "top_k", "repeat_last_n"),
)
FLOATS = (
    *("top_p", "min_p", "typical_p", "temperature"),
    *("repeat_penalty", "presence_penalty", "frequency_penalty"),
)


def complaint(name: str, value: object) -> str:
    with pytest.raises(ShimError) as caught:
        check_options({name: value})
    assert caught.value.status == 500
    return caught.value.text


@pytest.mark.parametrize(
    ("given", "taken"),
    [(7, 7), (1.9, 1), (-1.9, -1), (4096.0, 4096), (-1, -1), (1e300, 2**63 - 1), (-1e300, 1 - 2**63)],
)
def test_an_integer_is_cut(given, taken):
    known = check_options(dict.fromkeys(INTEGERS, given)).known
    assert known == dict.fromkeys(INTEGERS, taken)
    assert {type(value) for value in known.values()} == {int}


@pytest.mark.parametrize("value", ["1", True, [1], {}])
def test_an_integer_of_another_type_is_refused(value):
    assert [complaint(name, value) for name in INTEGERS] == [
        f'option "{name}" must be of type integer' for name in INTEGERS
    ]


@pytest.mark.parametrize("value", [0, 1, 0.5, -2.5])
def test_a_float_may_be_whole(value):
    assert check_options(dict.fromkeys(FLOATS, value)).known == dict.fromkeys(FLOATS, value)


@pytest.mark.parametrize("value", ["0.5", True, [0.5], {}])
def test_a_float_of_another_type_is_refused(value):
    assert [complaint(name, value) for name in FLOATS] == [
        f'option "{name}" must be of type float32' for name in FLOATS
    ]


def test_use_mmap_is_a_claim():
    assert check_options({"use_mmap": False}).known == {"use_mmap": False}
    assert complaint("use_mmap", 1) == 'option "use_mmap" must be of type boolean'


@pytest.mark.parametrize("stop", [[], ["a", ""], ["\n"]])
def test_stop_is_a_list_of_texts(stop):
    assert check_options({"stop": stop}).known == {"stop": stop}


@pytest.mark.parametrize(
    ("stop", "text"),
    [
        ("x", 'option "stop" must be of type array'),
        ({}, 'option "stop" must be of type array'),
        ([1], 'option "stop" must be of an array of strings'),
        (["a", None], 'option "stop" must be of an array of strings'),
    ],
)
def test_stop_of_another_type_is_refused(stop, text):
    assert complaint("stop", stop) == text


def test_null_counts_as_not_given():
    assert check_options(dict.fromkeys((*INTEGERS, *FLOATS, "stop", "use_mmap", "bogus"))) == ({}, ())


@pytest.mark.parametrize("name", ["mirostat", "numa", "num_gqa", "numCtx", "useMLock", "Temperature", "tfs_z", ""])
def test_an_unknown_option_is_named_and_ignored_whatever_its_value(name):
    assert check_options({name: ["anything"], "seed": 1}) == ({"seed": 1}, (name,))


def test_the_first_wrong_option_is_reported():
    with pytest.raises(ShimError, match="top_k"):
        check_options({"seed": 1, "top_k": "x", "top_p": "y"})


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
    ("limit", "sent"), [(0, 1), (1, 1), (2**31 - 1, 2**31 - 1), (2**31, 2**31 - 1), (2**63, 2**31 - 1)]
)
def test_limit_is_at_least_one_token_and_fits_the_engine(limit, sent):
    assert to_sampling({"num_predict": limit}, NOTHING) == {"max_tokens": sent}
