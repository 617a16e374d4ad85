"""Ollama's own extension for VS Code, replayed on the rules of the npm package."""

from __future__ import annotations

import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from clients.known import HELLO, OSLO, RAIN, RAINY, WEATHER, user
from clients.ollama_js import OllamaJs, Thrown
from support.answers import silent
from support.demo import Shim
from support.fake_lmstudio import CHAT, FakeLMStudio

UNKNOWN_CONTEXT = 32768
NUM_CTX = re.compile(r"^\s*(?:PARAMETER\s+)?num_ctx\s+(-?\d+)", re.M)


@pytest.fixture
def extension(demo):
    return OllamaJs(demo.port)


def context_of(listed, shown):
    """Return the first positive number in the places where the extension looks, in its order."""
    texts = (shown.get("parameters", ""), shown.get("modelfile", ""))
    found = [int(match[1]) for text in texts if (match := NUM_CTX.search(text))]
    for place in (listed, shown, listed.get("details", {}), shown.get("details", {})):
        found += [place[key] for key in ("max_context_length", "context_length") if key in place]
    found += [value for key, value in shown["model_info"].items() if key.endswith("context_length")]
    return next((number for number in found if number > 0), UNKNOWN_CONTEXT)


def test_start_up_requests_everything_at_once(extension):
    assert extension.ask("GET", "/api/version")["version"]
    listed = {model["name"]: model for model in extension.ask("GET", "/api/tags")["models"]}
    assert "recommendations" in extension.ask("GET", "/api/experimental/model-recommendations")
    with ThreadPoolExecutor(len(listed)) as pool:
        shown = pool.map(lambda name: extension.ask("POST", "/api/show", {"model": name, "verbose": False}), listed)
        shown = dict(zip(listed, shown, strict=True))
    contexts = {name: context_of(listed[name], shown[name]) for name in listed}
    assert set(contexts.values()) <= {512, 4096, 8192}
    assert all(not model.get("remote_host") and not name.endswith("cloud") for name, model in listed.items())
    assert all(set(shown[name]["capabilities"]) == set(model["capabilities"]) for name, model in listed.items())


def test_the_context_of_a_loaded_model_is_among_its_parameters(extension):
    extension.ask(
        "POST", "/api/generate", {"model": "tiny-chat", "stream": False, "keep_alive": 0}
    )  # other tests' copy
    extension.ask("POST", "/api/generate", {"model": "tiny-chat", "stream": False})
    assert extension.ask("POST", "/api/show", {"model": "tiny-chat"})["parameters"].split() == ["num_ctx", "4096"]


def test_a_chat_is_streamed_with_its_counts(extension):
    parts = list(
        extension.stream(
            "/api/chat", {"model": "tiny-chat:latest", "messages": [user("Hello")], "options": {"temperature": 0}}
        )
    )
    assert "".join(part["message"]["content"] for part in parts) == HELLO
    assert parts[-1]["prompt_eval_count"] > 0
    assert parts[-1]["eval_count"] > 0


def test_loaded_models_are_listed_while_a_chat_waits(tmp_path, until):
    chat = json.dumps({"model": "slow:latest", "messages": [user("Hello")]}).encode()
    head = b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(chat)
    with (
        FakeLMStudio({"slow": 4096}, lambda asked: silent) as backend,
        Shim(backend.url, tmp_path) as shim,
    ):
        with socket.create_connection(("127.0.0.1", shim.port)) as waiting:
            waiting.sendall(head + chat)
            until(lambda: backend.paths() == ["POST /v1/chat/completions"])
            for _ in range(5):
                (running,) = OllamaJs(shim.port).ask("GET", "/api/ps")["models"]
                assert (running["name"], running["context_length"]) == ("slow:latest", 4096)
            assert backend.open_at(CHAT)
        until(lambda: not backend.open_at(CHAT))


def test_hanging_up_stops_the_model(extension, demo, until):
    story = extension.stream("/api/chat", {"model": "tiny-chat:latest", "messages": [user("Tell me a long story.")]})
    next(story)
    story.close()
    until(lambda: not demo.miniature.services.loaded_models.open_generations)


def test_a_tool_is_called_and_its_result_used(extension):
    asked = {"model": "tiny-chat:latest", "tools": [WEATHER], "options": {"temperature": 0}}
    parts = extension.stream("/api/chat", {**asked, "messages": [user(OSLO)]})
    (call,) = [call for part in parts for call in part["message"].get("tool_calls", ())]
    assert (call["function"]["name"], call["function"]["arguments"]) == ("get_weather", {"city": "Oslo"})
    found = [
        user(OSLO),
        {"role": "assistant", "content": "", "tool_calls": [{"id": call["id"], "function": call["function"]}]},
        {"role": "tool", "content": RAIN, "tool_call_id": call["id"]},
    ]
    parts = extension.stream("/api/chat", {**asked, "messages": found})
    assert "".join(part["message"]["content"] for part in parts) == RAINY


def test_a_pull_by_the_old_field_ends_well(extension):
    assert list(extension.stream("/api/pull", {"name": "tiny-chat"}))[-1] == {"status": "success"}


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/api/chat", {"model": "nope", "messages": [user("x")]}, "404: model 'nope' not found"),
        ("/api/pull", {"name": "acme/nope"}, "pull model manifest"),
    ],
)
def test_a_failure_is_thrown(extension, path, body, words):
    with pytest.raises(Thrown, match=words):
        list(extension.stream(path, body))
