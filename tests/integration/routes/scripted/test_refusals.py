"""What is refused, in whose words, and that nothing was sent for it."""

from __future__ import annotations

import pytest

from flask_shim.lmstudio.api_versions import ApiVersion
from flask_shim.models.slots import BUSY
from flask_shim.services import services_of

EMBEDDER = "text-embedding-nomic-embed-text-v1.5-embedding"
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]


def refused(response, status, text):
    assert (response.status_code, response.json) == (status, {"error": text})
    assert response.content_type.startswith("application/json")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("route", "body", "text"),
    [
        ("/api/chat", {"messages": [{"role": "user", "content": "x"}]}, "model 'nope' not found"),
        ("/api/chat", {}, "model 'nope' not found"),
        ("/api/chat", {"keep_alive": 0}, "model 'nope' not found"),
        ("/api/generate", {"prompt": "x"}, "model 'nope' not found"),
        ("/api/generate", {}, "model 'nope' not found"),
        ("/api/show", {}, "model 'nope:latest' not found"),
    ],
)
@pytest.mark.parametrize("generation", ApiVersion)
def test_an_unknown_model_is_not_found_and_nothing_sent(client, backend, generation, route, body, text, stream):
    backend.set_version(generation)
    refused(client.post(route, {"model": "nope", "stream": stream, **body}), 404, text)
    assert backend.asked == []


@pytest.mark.parametrize(
    "name", ["plain", "plain-7b:8b", "plain-7b-instruct", "qwen3", "other/plain-7b", "gemma-4-26b-a4b@q8_0"]
)
def test_a_similar_name_is_not_taken_for_another(client, backend, name):
    refused(client.chat(model=name), 404, f"model '{name}' not found")
    assert backend.asked == []


@pytest.mark.parametrize(
    ("route", "name", "status", "text"),
    [
        ("/api/chat", "", 400, "model is required"),
        ("/api/generate", "", 404, "model '' not found"),
        ("/api/show", "", 400, "model is required"),
        ("/api/chat", "a b", 400, "invalid model name"),
        ("/api/generate", "../../x", 400, "invalid model name"),
        ("/api/chat", "plain-7b:latest:latest", 400, "invalid model name"),
        ("/api/generate", "registry.ollama.ai/plain-7b", 400, "invalid model name"),
        ("/api/show", "registry.ollama.ai/plain-7b:latest", 400, "invalid model name"),
    ],
)
def test_names_that_are_none_are_refused(client, backend, route, name, status, text):
    refused(client.post(route, {"model": name, "prompt": "x"}), status, text)
    assert backend.asked == []


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        (
            {"think": 1},
            400,
            "think must be a boolean or string",
        ),
        ({"think": True}, 400, '"plain-7b" does not support thinking'),
        ({"tools": TOOLS}, 400, "registry.ollama.ai/library/plain-7b:latest does not support tools"),
        ({"options": {"num_predict": "5"}}, 500, 'option "num_predict" must be of type integer'),
        ({"options": {"stop": "x"}}, 500, 'option "stop" must be of type array'),
        (
            {"format": "yaml"},
            500,
            'invalid format: "\\"yaml\\""; expected "json" or a valid JSON Schema object',
        ),
        ({"top_logprobs": 21}, 400, "top_logprobs must be between 0 and 20"),
        ({"model": EMBEDDER}, 400, f'"{EMBEDDER}" does not support chat'),
        ({"model": EMBEDDER, "messages": []}, 400, f'"{EMBEDDER}" does not support chat'),
    ],
)
def test_impossible_chats_are_rejected_with_ollamas_text(client, backend, fields, status, text):
    refused(client.chat(**fields), status, text)
    assert backend.asked == []


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"suffix": "x"}, "registry.ollama.ai/library/plain-7b:latest does not support insert"),
        ({"raw": True, "system": "x"}, "raw mode does not support template, system, or context"),
        ({"model": EMBEDDER}, f'"{EMBEDDER}" does not support generate'),
    ],
)
def test_impossible_prompts_are_rejected_with_ollamas_text(client, backend, fields, text):
    refused(client.generate(**fields), 400, text)
    assert backend.asked == []


@pytest.mark.parametrize(
    ("sent", "status", "expected_status", "text"),
    [
        (400, {"error": "'messages' field is required"}, 400, "'messages' field is required"),
        (400, {"error": "The model has crashed (Exit code: null)"}, 500, "The model has crashed (Exit code: null)"),
        (401, {"error": {"message": "Invalid token"}}, 502, "API token"),
        (403, {"error": {"message": "Forbidden"}}, 502, "API token"),
        (422, {"error": "odd"}, 400, "odd"),
        (429, {"error": "slow down"}, 503, "slow down"),
        (500, {"error": "odd"}, 502, "odd"),
        (503, {"error": "busy"}, 503, "busy"),
        (200, {"error": "Unexpected endpoint or method. (POST /v1/chat/completions)"}, 501, "Unexpected endpoint"),
        (502, b"<html>Bad Gateway</html>", 502, "LM Studio failed with status 502"),
        (200, b"<html>Hello</html>", 502, "LM Studio's answer is not JSON"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("route", ["chat", "generate"])
def test_backend_errors_become_errors_of_ollama(client, backend, route, stream, sent, status, expected_status, text):
    backend.answers(status, status=sent)
    response = client.ask(route, stream=stream)
    assert response.status_code == expected_status
    assert set(response.json) == {"error"}
    assert text in response.json["error"]


def test_how_long_to_wait_is_passed_on(client, backend):
    backend.answers({"error": "busy"}, status=503, headers={"Retry-After": "3600"})
    assert client.chat().headers["Retry-After"] == "60"


@pytest.mark.parametrize("stream", [True, False])
def test_without_a_slot_nothing_is_sent(shim, backend, stream):
    client = shim(max_streams=1)
    with services_of(client.http.application).slots.take():
        response = client.chat(stream=stream)
    refused(response, 503, BUSY)
    assert response.headers["Retry-After"] == "1"
    assert backend.asked == []
    assert client.chat(stream=stream).status_code == 200


FATES = {
    "good": lambda client, backend: client.chat(),
    "whole": lambda client, backend: client.chat(stream=False),
    "refused": lambda client, backend: (backend.answers({"error": "x"}, status=500), client.chat())[1],
    "broken": lambda client, backend: (backend.script("a", {"error": "x"}), client.chat())[1],
    "broken whole": lambda client, backend: (backend.script("a", {"error": "x"}), client.chat(stream=False))[1],
    "unknown": lambda client, backend: client.chat(model="nope"),
    "loaded": lambda client, backend: client.chat(messages=[]),
    "unloaded": lambda client, backend: client.chat(messages=[], keep_alive=0),
    "away": lambda client, backend: (backend.goes_away(), client.chat())[1],
    "passed through": lambda client, backend: client.post(
        "/v1/chat/completions", {"model": "plain-7b", "messages": [{}]}
    ),
    "passed through, refused": lambda client, backend: client.post(
        "/v1/embeddings", {"model": "plain-7b", "input": []}
    ),
}


@pytest.mark.parametrize("fate", FATES.values(), ids=FATES.keys())
@pytest.mark.parametrize("is_read", [True, False])
def test_slots_and_watched_calls_come_back_after_everything(client, backend, fate, is_read):
    services = services_of(client.http.application)
    backend.answers({}, paths=("/api/v1/models/unload", "/api/v1/models/load"))
    with fate(client, backend) as response:
        if is_read:
            assert response.data
    assert services.slots.in_use == 0
    assert len(services.backends.first.client.watchdog) == 0
