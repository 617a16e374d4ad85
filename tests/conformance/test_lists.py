"""What holds between the lists, and what they are when there is nothing to list (sections 7.2 to 7.4 and 8.5)."""

from __future__ import annotations

import pytest
from support.demo import Shim
from support.fake_lmstudio import FakeLMStudio
from support.raw_http import exchange


@pytest.fixture
def empty(tmp_path):
    """Return a function that asks a shim whose backend has no model."""
    with (
        FakeLMStudio({}) as backend,
        Shim(backend.url, tmp_path) as shim,
    ):
        yield lambda path: exchange(shim.port, "GET", path)


@pytest.mark.parametrize("path", ["/api/tags", "/api/ps"])
def test_a_list_of_nothing_is_a_list(empty, path):
    assert empty(path).text == '{"models":[]}'


def test_openais_list_of_nothing_is_a_list_where_ollamas_is_null(empty):
    assert empty("/v1/models").json["data"] == []


def test_every_name_has_its_tag_and_is_there_once(ask):
    models = ask("GET", "/api/tags").json["models"]
    names = [model["name"] for model in models]
    assert all(":" in name for name in names)
    assert len(set(names)) == len(names)
    assert all(model["model"] == model["name"] for model in models)


def test_every_model_has_a_digest_of_its_own(ask):
    digests = [model["digest"] for model in ask("GET", "/api/tags").json["models"]]
    assert len(set(digests)) == len(digests)


def test_the_same_model_has_the_same_digest_in_all_lists(ask):
    ask("POST", "/api/generate", {"model": "tiny-chat"})
    listed = {model["name"]: model for model in ask("GET", "/api/tags").json["models"]}
    running = {model["name"]: model for model in ask("GET", "/api/ps").json["models"]}
    assert running["tiny-chat:latest"]["digest"] == listed["tiny-chat:latest"]["digest"]


def test_a_model_runs_under_its_own_name_whatever_name_loaded_it(ask):
    ask("POST", "/api/copy", {"source": "tiny-chat", "destination": "mario"})
    ask("POST", "/api/generate", {"model": "mario"})
    names = [model["name"] for model in ask("GET", "/api/ps").json["models"]]
    ask("DELETE", "/api/delete", {"model": "mario"})
    assert names.count("tiny-chat:latest") == 1
    assert "mario:latest" not in names


def test_every_listed_name_is_shown_with_its_capabilities(ask):
    for model in ask("GET", "/api/tags").json["models"]:
        shown = ask("POST", "/api/show", {"model": model["name"]}).json
        assert shown["capabilities"] == model["capabilities"]
        assert {key: model["details"][key] for key in shown["details"]} == shown["details"]
        lengths = [value for key, value in shown["model_info"].items() if key.endswith("context_length")]
        assert lengths == [model["details"]["context_length"]]
        assert f"{shown['model_info']['general.architecture']}.context_length" in shown["model_info"]


def test_the_newest_model_is_listed_first(ask):
    moments = [model["modified_at"].split(".")[0] for model in ask("GET", "/api/tags").json["models"]]
    assert moments == sorted(moments, reverse=True)
