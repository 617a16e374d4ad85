"""A name finds the one model it means, and never a similar one."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flask_shim.lmstudio.model import Instance, Model
from flask_shim.translate.ollama.names import display, find_model

QWEN = Model(
    key="qwen/qwen3-8b",
    instances=(Instance("qwen/qwen3-8b"), Instance("qwen/qwen3-8b:2"), Instance("My Writer")),
)
GEMMA = Model(
    key="google/gemma-4-26b-a4b",
    variants=("google/gemma-4-26b-a4b@q4_k_m", "google/gemma-4-26b-a4b@q8_0"),
    selected_variant="google/gemma-4-26b-a4b@q4_k_m",
)
SMALL = Model(key="qwen2.5-7b-instruct@q4_k_m")
LARGE = Model(key="qwen2.5-7b-instruct@q8_0")
DEEPSEEK = Model(key="deepseek-r1")
OURS = Model(key="lmstudio-community/phi-4")
THEIRS = Model(key="unsloth/phi-4")
FILE = Model(key="TheBloke/Mistral-7B/mistral.Q4_K_M.gguf")
MODELS = (QWEN, GEMMA, SMALL, LARGE, DEEPSEEK, OURS, THEIRS, FILE)


def find(name, models):
    """Return only the model."""
    found = find_model(name, models)
    return found.model if found else None


@pytest.mark.parametrize(
    ("name", "model", "identifier"),
    [
        ("deepseek-r1", DEEPSEEK, "deepseek-r1"),
        ("deepseek-r1:latest", DEEPSEEK, "deepseek-r1"),
        ("DeepSeek-R1:LATEST", DEEPSEEK, "deepseek-r1"),
        ("library/deepseek-r1", DEEPSEEK, "deepseek-r1"),
        ("registry.ollama.ai/library/deepseek-r1:latest", DEEPSEEK, "deepseek-r1"),
        ("qwen/qwen3-8b", QWEN, "qwen/qwen3-8b"),
        ("Qwen/Qwen3-8B", QWEN, "qwen/qwen3-8b"),
        ("registry.ollama.ai/qwen/qwen3-8b:latest", QWEN, "qwen/qwen3-8b"),
        ("qwen3-8b", QWEN, "qwen/qwen3-8b"),
        ("Qwen3-8B:latest", QWEN, "qwen/qwen3-8b"),
        ("qwen/qwen3-8b:2", QWEN, "qwen/qwen3-8b:2"),
        ("qwen3-8b:2", QWEN, "qwen/qwen3-8b:2"),
        ("My Writer", QWEN, "My Writer"),
        ("my writer:latest", QWEN, "My Writer"),
        ("google/gemma-4-26b-a4b:latest", GEMMA, "google/gemma-4-26b-a4b"),
        ("google/gemma-4-26b-a4b@q4_k_m", GEMMA, "google/gemma-4-26b-a4b@q4_k_m"),
        ("google/gemma-4-26b-a4b:q8_0", GEMMA, "google/gemma-4-26b-a4b@q8_0"),
        ("gemma-4-26b-a4b:Q8_0", GEMMA, "google/gemma-4-26b-a4b@q8_0"),
        ("qwen2.5-7b-instruct@q4_k_m", SMALL, "qwen2.5-7b-instruct@q4_k_m"),
        ("qwen2.5-7b-instruct:q4_k_m", SMALL, "qwen2.5-7b-instruct@q4_k_m"),
        ("qwen2.5-7b-instruct:Q8_0", LARGE, "qwen2.5-7b-instruct@q8_0"),
        ("unsloth/phi-4", THEIRS, "unsloth/phi-4"),
        ("TheBloke/Mistral-7B/mistral.Q4_K_M.gguf", FILE, "TheBloke/Mistral-7B/mistral.Q4_K_M.gguf"),
    ],
)
def test_a_name_finds_its_model(name, model, identifier):
    found = find_model(name, MODELS)
    assert found is not None
    assert (found.model, found.identifier) == (model, identifier)
    assert find(name, MODELS) is model


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            ":",
            ":latest",
            "/",
            "latest",
            "nope",
            "qwen",
            "qwen3",
            "qwen3-8",
            "qwen/qwen3-8b-instruct",
            "qwen3-8b:8b",
        ),
        *("deepseek-r1:7b", "deepseek-r1:2", "qwen/qwen3-8b:3", "qwen2.5-7b-instruct", "qwen2.5-7b-instruct:latest"),
        *("phi-4", "phi-4:latest", "other/qwen3-8b", "library/qwen/qwen3-8b", "hf.co/qwen/qwen3-8b", "deepseek-r1 "),
        *("google/gemma-4-26b-a4b:q5_k_m", "mistral.Q4_K_M.gguf", "My", "../qwen3-8b", "qwen/", "publisher/"),
    ],
)
def test_a_name_that_is_only_similar_finds_nothing(name):
    assert find_model(name, MODELS) is None
    assert find(name, MODELS) is None


def test_nothing_is_found_among_no_models():
    assert find("plain", ()) is None


@pytest.mark.parametrize(
    ("name", "keys", "meant"),
    [
        ("a", ["x/a", "a"], "a"),
        ("A", ["a", "A"], "A"),
        ("a:latest", ["a", "a:latest"], "a:latest"),
        ("A:latest", ["a:latest", "A"], "A"),
        ("a:2", ["a", "a:2"], "a:2"),
        ("library/a", ["a", "library/a"], "library/a"),
        ("a", ["A", "b/a"], "A"),
        ("b", ["a/b", "c/b@q4"], "a/b"),
    ],
)
def test_the_closest_spelling_wins(name, keys, meant):
    found = find(name, [Model(key=key) for key in keys])
    assert found is not None
    assert found.key == meant


@pytest.mark.parametrize(("name", "keys"), [("foo", ["Foo", "FOO", "x/foo"]), ("c", ["a/c", "b/c"])])
def test_a_spelling_that_fits_several_models_finds_none(name, keys):
    assert find(name, [Model(key=key) for key in keys]) is None


def test_a_key_wins_over_a_loaded_copy_with_its_name():
    impostor = Model(key="other", instances=(Instance("plain"), Instance("plain:latest")))
    plain = Model(key="plain")
    assert find("plain", [impostor, plain]) is plain
    assert find("plain:latest", [impostor, plain]) is plain


KEYS = st.from_regex(r"\A([a-cA-C]{1,2}/)?[a-cA-C.]{1,2}(@q[48])?(:[12]|:latest)?\Z") | st.text(min_size=1, max_size=6)


@settings(deadline=None)
@given(st.sets(KEYS, min_size=1, max_size=8))
def test_every_listed_name_finds_its_model(keys):
    assume(len({display(key) for key in keys}) == len(keys))
    models = [Model(key=key) for key in sorted(keys)]
    assert [find(display(model.key), models) for model in models] == models
    assert [find(model.key, models) for model in models] == models


@settings(deadline=None)
@given(KEYS, st.text("xyz09_-", min_size=1))
def test_a_longer_name_finds_nothing(key, more):
    assert find(key + more, [Model(key=key)]) is None
