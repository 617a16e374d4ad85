"""What is made of all names may be kept for as long as the names stand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from flask_shim.lmstudio.api_versions import ApiVersion
from flask_shim.lmstudio.catalogue import Listing
from flask_shim.lmstudio.model import Kind, Model
from flask_shim.models.backends import Backend
from flask_shim.models.pool import Backends
from flask_shim.models.registry import ModelRegistry
from flask_shim.translate.ollama.alias import Alias, alias_key


def listing(*keys):
    return Listing(ApiVersion.V1, tuple(Model(key=key, kind=Kind.LLM) for key in keys), 0.0)


@pytest.fixture
def store():
    return SimpleNamespace(aliases={})


@pytest.fixture
def directory(store):
    only = Backend(client=SimpleNamespace(), loader=SimpleNamespace())
    return ModelRegistry(Backends([only], SimpleNamespace()), 0, lambda **_: store.aliases)


def test_names_stay_the_same_object_while_nothing_changes(directory):
    now = listing("a", "b")
    assert directory.names(now) is directory.names(now)


def test_names_follow_a_new_list(directory):
    assert [entry.name for entry in directory.names(listing("a")).entries] == ["a:latest"]
    assert [entry.name for entry in directory.names(listing("a", "b")).entries] == ["a:latest", "b:latest"]


def test_names_follow_a_new_alias(directory, store):
    now = listing("a")
    before = directory.names(now)
    store.aliases = {alias_key("mine:latest"): Alias(name="mine:latest", base="a", created_ns=1)}
    after = directory.names(now)
    assert [entry.name for entry in before.entries] == ["a:latest"]
    assert [entry.name for entry in after.entries] == ["a:latest", "mine:latest"]


def test_models_of_one_list_have_the_same_date(directory, monkeypatch):
    now = listing("a", "b")
    moments = iter(range(1, 9))
    monkeypatch.setattr("flask_shim.models.registry.time.time_ns", lambda: next(moments))
    directory.of(now.models[0], now)
    assert [entry.modified_ns for entry in directory.models(now)] == [1, 1]
    assert [entry.modified_ns for entry in directory.models(listing("a", "b", "c"))] == [1, 1, 2]
