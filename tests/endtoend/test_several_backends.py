"""Two miniatures and an address where nothing answers look like one Ollama to real clients."""

from __future__ import annotations

import ollama
import pytest
import requests
from support.backend_pool import to_toml
from support.demo import Shim, write_plain_models
from support.ports import unused_port

from flask_shim.config import shim_file
from flask_shim.embedded import MiniLMStudio, MiniSettings

QUESTION = [{"role": "user", "content": "Hello"}]
SHORT = {"temperature": 0, "num_predict": 5}


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    """A shim before two miniatures, of which one has models of its own, and an address where nothing answers."""
    folder = tmp_path_factory.mktemp("shim")
    models = write_plain_models(tmp_path_factory.mktemp("models"), "plain")
    with MiniLMStudio() as desktop, MiniLMStudio(MiniSettings(models=models)) as laptop:
        urls = {"desktop": desktop.url, "laptop": laptop.url, "away": f"http://127.0.0.1:{unused_port()}"}
        (folder / shim_file.FILE_NAME).write_text(to_toml(urls), encoding="utf-8")
        file, _ = shim_file.read(folder / shim_file.FILE_NAME)
        with Shim(desktop.url, folder / "data", file=file) as running:
            yield running


@pytest.fixture
def library(shim):
    """Ollama's own library."""
    with ollama.Client(host=shim.url, trust_env=False, timeout=30) as client:
        yield client


def test_ollama_lists_and_uses_the_models_of_all(library, until):
    # The first list does not wait for a machine that takes longer than the others.
    until(lambda: {model.model for model in library.list().models} >= {"tiny-chat:latest", "plain:latest"})
    for name in ("tiny-chat", "plain", "laptop/plain"):
        *_, last = library.chat(name, QUESTION, stream=True, options=SHORT)
        assert last.done
    assert {model.model for model in library.ps().models} >= {"tiny-chat:latest", "plain:latest"}


def test_a_model_is_found_only_where_it_is(library):
    with pytest.raises(ollama.ResponseError, match="not found"):
        library.chat("desktop/plain", QUESTION)


def test_open_webui_finds_each_model_that_it_lists(shim):
    for model in requests.get(f"{shim.url}/api/tags", timeout=30).json()["models"]:
        shown = requests.post(f"{shim.url}/api/show", json={"model": model["model"]}, timeout=30)
        assert shown.json()["capabilities"]


def test_vs_code_chats_with_models_of_both(shim):
    for name in ("tiny-chat:latest", "plain:latest"):
        body = {"model": name, "messages": QUESTION, "stream": True, "max_tokens": 5}
        answer = requests.post(f"{shim.url}/v1/chat/completions", json=body, timeout=30)
        assert answer.text.rstrip().endswith("data: [DONE]")
