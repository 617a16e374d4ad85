"""The llm command's Ollama plugin: it knows models by their digests, and what they can do from their capabilities."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("llm_ollama", reason="the clients extra is not installed")

import llm
from clients.known import ADA, HELLO, LEAKS_CONNECTIONS, OSLO, PERSON, RAINY, get_weather

pytestmark = LEAKS_CONNECTIONS


@pytest.fixture(autouse=True)
def folder(url, tmp_path, monkeypatch):
    """Give the plugin a server, and a folder of its own for what it remembers."""
    monkeypatch.setenv("OLLAMA_HOST", url)
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
    return tmp_path


def named(models, name):
    """Return the only model of that name; newer plugins put their own name before it."""
    (found,) = [model for model in models if model.model_id.removeprefix("ollama/") == name]
    return found


def chats(name):
    return named(llm.get_models(), name)


def embeds(name):
    return named([found.model for found in llm.get_embedding_models_with_aliases()], name)


@pytest.fixture
def model():
    return chats("tiny-chat:latest")


@pytest.mark.parametrize("name", ["tiny-chat:latest", "tiny-think:latest", "tiny-vision:latest", "plain:latest"])
def test_every_model_is_known_by_its_name(name):
    assert chats(name)


def test_embedding_models_are_kept_apart():
    assert embeds("tiny-embed:latest")
    with pytest.raises(ValueError, match="not enough"):
        chats("tiny-embed:latest")


def test_what_a_model_can_do_is_known(model):
    assert model.supports_tools
    assert model.supports_schema
    assert not chats("plain:latest").supports_tools
    assert chats("tiny-vision:latest").attachment_types


def test_an_answer_is_whole_with_its_counts(model):
    answer = model.prompt("Hello", stream=False, temperature=0)
    assert answer.text() == HELLO
    assert answer.usage().output > 0


def test_an_answer_is_streamed(model):
    parts = list(model.prompt("Hello", temperature=0))
    assert len(parts) > 2
    assert "".join(parts) == HELLO


def test_an_answer_keeps_to_a_schema(model):
    assert json.loads(model.prompt(ADA, schema=PERSON, temperature=0).text()) == {"name": "Ada", "age": 36}


def test_a_tool_is_called_and_its_result_used(model):
    assert RAINY in model.chain(OSLO, tools=[get_weather], options={"temperature": 0}, stream=False).text()


def test_texts_become_vectors():
    assert len(embeds("tiny-embed:latest").embed("hello")) == 64
