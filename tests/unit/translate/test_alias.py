"""What an alias is made of, and what it is made into."""

from __future__ import annotations

import dataclasses

import pytest

from flask_shim.errors import BadRequest
from flask_shim.lmstudio.model import Instance, Model, Support
from flask_shim.translate.ollama.alias import (
    Alias,
    alias_key,
    base_of,
    copied,
    created,
    is_alias_name,
    plain,
    progress,
    to_entry,
)
from flask_shim.translate.ollama.capabilities import capabilities
from flask_shim.translate.ollama.listing import digest
from flask_shim.translate.ollama.requests import CreateRequest, Message
from flask_shim.translate.ollama.showing import template_of, to_show

MODEL = Model(
    key="acme/tiny",
    tools=Support.YES,
    vision=Support.YES,
    variants=("acme/tiny@q4_k_m", "acme/tiny@q8_0"),
    instances=(Instance("acme/tiny:2"),),
)
SOURCE = Alias(
    name="first:latest",
    base="acme/tiny",
    created_ns=1,
    parent="acme/tiny:latest",
    system="You are first.",
    template="{{ .Prompt }}",
    license=("MIT",),
    parameters={"temperature": 0.1, "num_ctx": 512},
    messages=(Message("user", "a"),),
)


def ask(**fields):
    return CreateRequest(**{"model": "mine", "from_": "first", **fields})


def test_an_alias_of_a_model_names_it_as_its_parent():
    alias = created(ask(system="You are mine."), plain(MODEL, MODEL.key), 7)
    assert alias == Alias(
        name="mine:latest", base="acme/tiny", created_ns=7, parent="acme/tiny:latest", system="You are mine."
    )


def test_an_alias_of_an_alias_has_all_its_parts_and_another_parent():
    assert created(ask(), SOURCE, 7) == dataclasses.replace(
        SOURCE, name="mine:latest", created_ns=7, parent="first:latest"
    )


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"system": "x"}, {"system": "x"}),
        ({"template": "{{ .System }}"}, {"template": "{{ .System }}"}),
        ({"template": template_of(MODEL)}, {"template": ""}),
        (
            {"parameters": {"temperature": 1, "seed": 1, "num_ctx": None}},
            {"parameters": {"temperature": 1, "num_ctx": 512, "seed": 1}},
        ),
        ({"messages": (Message("user", "b"),)}, {"messages": (Message("user", "b"),)}),
        ({"license": ("B", "MIT")}, {"license": ("MIT", "B")}),
        ({"system": "", "template": "", "messages": (), "license": ()}, {}),
    ],
)
def test_a_part_that_is_given_replaces_the_inherited_one(given, kept):
    expected = {"name": "mine:latest", "created_ns": 7, "parent": "first:latest", **kept}
    assert created(ask(**given), SOURCE, 7) == dataclasses.replace(SOURCE, **expected)


def test_an_alias_recreated_from_itself_keeps_its_parent():
    alias = created(ask(model="First", from_="first", system="You are new."), SOURCE, 7)
    assert (alias.parent, alias.system) == ("acme/tiny:latest", "You are new.")


def test_parameters_that_no_json_can_hold_are_refused():
    with pytest.raises(BadRequest, match="64 bits"):
        created(ask(parameters={"seed": 10**30}), SOURCE, 7)


def test_a_copy_differs_in_name_and_date_only():
    assert copied(SOURCE, "Some/Other", 9) == dataclasses.replace(SOURCE, name="Some/Other:latest", created_ns=9)


@pytest.mark.parametrize(
    ("identifier", "base"),
    [("acme/tiny", "acme/tiny"), ("acme/tiny@q8_0", "acme/tiny@q8_0"), ("acme/tiny:2", "acme/tiny")],
)
def test_an_alias_names_a_model_or_variant_but_no_loaded_instance(identifier, base):
    alias = plain(MODEL, identifier)
    assert alias.base == base
    assert base_of(alias.base, [Model(key="other"), MODEL]) is MODEL
    assert base_of(alias.base, [Model(key="other")]) is None


@pytest.mark.parametrize("name", ["mine", "Mine:v1", "me/mine", "example.com/me/mine:v1"])
def test_a_name_may_be_an_aliases(name):
    assert is_alias_name(name)


@pytest.mark.parametrize("name", ["", "bad name", " mine", "a:cloud", "a:local", "a:7b-cloud", "a/b/c/d", "x:"])
def test_a_name_that_cannot_be_requested_is_no_alias(name):
    assert not is_alias_name(name)


@pytest.mark.parametrize("name", ["a", "A", "a:latest", "library/a", "registry.ollama.ai/library/A:Latest"])
def test_spellings_of_one_name_have_one_key(name):
    assert alias_key(name) == "registry.ollama.ai/library/a:latest"


def test_layers_have_the_hashes_that_ollama_gives_them():
    asked = ask(
        system="You are Mario",
        template="{{ .Prompt }}",
        license=("A", "B"),
        parameters={"temperature": 0.1, "stop": ["x"]},
        messages=(Message("user", "a"),),
    )
    model = dataclasses.replace(plain(MODEL, MODEL.key), parameters={"num_ctx": 4096, "temperature": 0.6})
    assert list(progress(created(asked, model, 7), MODEL, ()))[1:] == [
        "creating new layer sha256:b507b9c2f6ca642bffcd06665ea7c91f235fd32daeefdf875a0f938db05fb315",
        "creating new layer sha256:8c0dc52aa096f3c5266b8d8ddb7104719b14c8530fccda7e7b4085c72e7a5d41",
        "creating new layer sha256:559aead08264d5795d3909718cdd05abd49572e84fe55590eef31a88a08fdffd",
        "creating new layer sha256:df7e70e5021544f4834bbee64a9e3789febc4be81470df629cad6ddb03320a5c",
        "creating new layer sha256:3a49c6f7a7b64bd9208b24a7c64ee4a7b54ee34914103b1460ccc3ceb27c340f",
        "creating new layer sha256:4a36e6fbb79e2f5429fccb49526e42e82e030f96833d1a95fc15fd30a1b4da11",
        "writing manifest",
        "success",
    ]


def test_the_model_and_parts_that_others_have_are_existing_layers():
    entry = to_entry(plain(MODEL, MODEL.key), MODEL)
    first, *rest = progress(created(ask(system="new"), SOURCE, 7), MODEL, [SOURCE])
    assert first == f"using existing layer sha256:{digest(entry)}"
    assert [line.partition(" sha256")[0] for line in rest[:-2]] == [
        "using existing layer",
        "creating new layer",
        "using existing layer",
        "using existing layer",
        "using existing layer",
    ]


def test_an_alias_is_shown_with_its_own_parts():
    shown = to_show(to_entry(dataclasses.replace(SOURCE, template="", base="acme/tiny@q8_0"), MODEL))
    assert shown["system"] == "You are first."
    assert shown["license"] == "MIT"
    assert shown["messages"] == [{"role": "user", "content": "a"}]
    assert shown["details"]["parent_model"] == "acme/tiny:latest"
    assert shown["parameters"].split() == ["temperature", "0.1", "num_ctx", "512"]
    assert "\nFROM acme/tiny@q8_0\n" in shown["modelfile"]


def test_an_alias_with_a_template_rejects_tools_and_images():
    assert {"tools", "vision"} <= set(capabilities(to_entry(dataclasses.replace(SOURCE, template=""), MODEL).model))
    assert capabilities(to_entry(SOURCE, MODEL).model) == ["completion"]


def test_every_alias_has_a_digest_of_its_own():
    aliases = [
        plain(MODEL, MODEL.key),
        SOURCE,
        copied(SOURCE, "other", 1),
        dataclasses.replace(SOURCE, system=""),
        dataclasses.replace(SOURCE, parameters={}),
    ]
    digests = {digest(to_entry(alias, MODEL)) for alias in aliases}
    assert len(digests) == len(aliases)
    assert {len(one) for one in digests} == {64}
