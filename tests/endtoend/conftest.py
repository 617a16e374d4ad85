"""The shim under waitress, in front of a miniature LM Studio with a real engine; all share one of each."""

from __future__ import annotations

import pytest

pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")

import ollama
import openai
from support.demo import Shim

from flask_shim.embedded import MiniLMStudio

GREEDY = {"temperature": 0, "num_predict": 100}


@pytest.fixture(scope="session")
def miniature():
    with MiniLMStudio() as running:
        yield running


@pytest.fixture(scope="session")
def shim(miniature, tmp_path_factory):
    with Shim(miniature.url, tmp_path_factory.mktemp("shim")) as running:
        yield running


@pytest.fixture
def client(shim):
    """Ollama's own library."""
    client = ollama.Client(host=shim.url, trust_env=False, timeout=30)
    yield client
    client.close()


@pytest.fixture
def chat(client):
    """Return a function that has the tiny model answer some turns, and gives its text."""

    def answer(*turns, model="tiny-chat", **more):
        roles = ("user", "assistant") if len(turns) % 2 else ("system", "user")
        messages = [{"role": roles[at % 2], "content": text} for at, text in enumerate(turns)]
        return client.chat(model, messages, options=GREEDY, **more).message.content

    return answer


@pytest.fixture
def openai_client(shim):
    """OpenAI's own library."""
    with openai.OpenAI(base_url=f"{shim.url}/v1", api_key="any", max_retries=0, timeout=30) as client:
        yield client
