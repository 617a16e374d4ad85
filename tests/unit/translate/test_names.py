"""Names: what is one, how it is written, where it says the model shall run, and which one model it means."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flask_shim.errors import BadRequest
from flask_shim.lmstudio.model import Instance, Model
from flask_shim.translate.ollama.names import (
    Name,
    Source,
    display,
    find_model,
    is_valid,
    normalize_name,
    parse,
    qualified,
    split_source,
    validate_model_name,
)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("plain", ("registry.ollama.ai", "library", "plain", "latest")),
        ("plain:8b", ("registry.ollama.ai", "library", "plain", "8b")),
        ("SomeUser/coolname:v1.0-Q4", ("registry.ollama.ai", "SomeUser", "coolname", "v1.0-Q4")),
        ("hf.co/bartowski/model-GGUF:Q4_K_M", ("hf.co", "bartowski", "model-GGUF", "Q4_K_M")),
        ("127.0.0.1:23918/library/x", ("127.0.0.1:23918", "library", "x", "latest")),
        ("http://127.0.0.1:1/library/x", ("127.0.0.1:1", "library", "x", "latest")),
        ("qwen/qwen3-8b@q4_k_m", ("registry.ollama.ai", "qwen", "qwen3-8b@q4_k_m", "latest")),
        ("_x", ("registry.ollama.ai", "library", "_x", "latest")),
    ],
)
def test_a_name_is_split(name, parts):
    assert parse(name) == Name(*parts)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            " ",
            "bad name",
            " plain",
            "plain ",
            "/x",
            "x:",
            ":x",
            "x/",
            "a//b",
            "a/b/c/d",
            "a::b",
            "a:b:c",
            "@x",
            "-x",
        ),
        *(".x", "x:-y", "a.b/c", "a\x00b", "a\nb", "x\n", "../../x", "a/b?c#d", "%2e%2e", "mödel", "x+y", "m" * 81),
        *(f"x:{'t' * 81}", f"{'n' * 81}/x", "m" * 10_000),
    ],
)
def test_an_invalid_name_is_not_split(name):
    assert parse(name) is None
    assert not is_valid(name)


@pytest.mark.parametrize(
    "name",
    ["m" * 80, f"{'n' * 80}/{'m' * 80}:{'t' * 80}", "openai/gpt-oss-20b", "deepseek-r1", "qwen2.5-7b-instruct@q4_k_m"],
)
def test_names_of_lm_studio_and_names_of_full_length_are_names(name):
    assert is_valid(name)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("", "the model name is empty"),
        ("m" * 351, "the model name is longer than 350 characters"),
        ("a\x1bb", "the model name holds control characters"),
        ("a\x85b", "the model name holds control characters"),
        ("bad name", "the model name holds white space"),
        ("a::b", "the model name holds a double colon"),
        (":a", "the model name starts or ends with a colon"),
        ("a:", "the model name starts or ends with a colon"),
        ("a:b:c:d:e:f", "the model name holds more than 4 colons"),
        ("a:b:c", "the model name is not of the form host/namespace/model:tag"),
    ],
)
def test_a_name_that_is_none_is_explained(name, fault):
    assert validate_model_name(name) == (False, fault)


def test_a_good_name_needs_no_explanation():
    assert validate_model_name("qwen/qwen3-8b:latest") == (True, None)


@pytest.mark.parametrize(
    ("key", "listed"),
    [
        ("plain", "plain:latest"),
        ("qwen/qwen3-8b", "qwen/qwen3-8b:latest"),
        ("qwen/qwen3-8b@q4_k_m", "qwen/qwen3-8b:q4_k_m"),
        ("qwen/qwen3-8b:2", "qwen/qwen3-8b:2"),
        ("qwen3@q8_0:2", "qwen3@q8_0:2"),
        ("host:1234/ns/model", "host:1234/ns/model:latest"),
        ("a@b/c", "a@b/c:latest"),
        ("a@", "a@:latest"),
        ("@a", "@a:latest"),
    ],
)
def test_a_key_is_listed_with_a_tag(key, listed):
    assert display(key) == listed


@given(st.text())
def test_listing_a_listed_key_changes_nothing(key):
    assert display(display(key)) == display(key)


@pytest.mark.parametrize(
    ("name", "full", "shortest"),
    [
        ("plain", "registry.ollama.ai/library/plain:latest", "plain:latest"),
        ("nope:1b", "registry.ollama.ai/library/nope:1b", "nope:1b"),
        ("qwen/qwen3-8b:latest", "registry.ollama.ai/qwen/qwen3-8b:latest", "qwen/qwen3-8b:latest"),
        ("Registry.ollama.ai/Library/x", "Registry.ollama.ai/Library/x:latest", "x:latest"),
        ("hf.co/library/x", "hf.co/library/x:latest", "hf.co/library/x:latest"),
        ("bad name", "registry.ollama.ai/library/bad name:latest", "bad name:latest"),
    ],
)
def test_a_name_is_written_in_full_and_in_short(name, full, shortest):
    assert (qualified(name), normalize_name(name)) == (full, shortest)


@pytest.mark.parametrize(
    ("name", "base", "source"),
    [
        ("plain", "plain", Source.ANYWHERE),
        (" plain ", "plain", Source.ANYWHERE),
        ("plain:8b", "plain:8b", Source.ANYWHERE),
        ("plain:local", "plain", Source.LOCAL),
        ("plain:8b:LOCAL", "plain:8b", Source.LOCAL),
        ("plain:cloud", "plain", Source.CLOUD),
        ("plain: Cloud", "plain", Source.CLOUD),
        ("gpt-oss:20b-cloud", "gpt-oss:20b", Source.CLOUD),
        ("my-cloud", "my-cloud", Source.ANYWHERE),
        ("host:1/x-cloud", "host:1/x-cloud", Source.ANYWHERE),
        ("", "", Source.ANYWHERE),
    ],
)
def test_a_source_suffix_is_taken_off(name, base, source):
    assert split_source(name) == (base, source)


@pytest.mark.parametrize("name", ["plain:cloud:local", "plain:local:cloud", "x:1-cloud:local", "x:cloud:cloud"])
def test_two_source_suffixes_are_refused(name):
    with pytest.raises(BadRequest) as caught:
        split_source(f" {name} ")
    assert caught.value.text == f'use either :local or :cloud, not both: "{name}"'


@settings(deadline=None)
@given(st.text())
def test_any_text_is_parsed_or_rejected(name):
    assert is_valid(name) == (parse(name) is not None and validate_model_name(name) == (True, None))
    assert qualified(name).endswith(normalize_name(name))


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
