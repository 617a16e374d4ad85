"""The call sequences of both of VS Code's integrations, with what each of them looks at."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

COPILOT = {"User-Agent": "GitHubCopilotChat/0.35.0", "X-VSCode-User-Agent-Library-Version": "electron-fetch"}
CHATTING = {
    "Authorization": "Bearer ",
    "X-Request-Id": "1",
    "OpenAI-Intent": "conversation-panel",
    "X-GitHub-Api-Version": "2025-05-01",
}
TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


@pytest.fixture
def http(shim):
    """Return a function that sends a request to the shim."""
    with requests.Session() as session:
        session.trust_env = False

        def send(method, path, **more):
            return session.request(method, shim.url + path, timeout=30, **more)

        yield send


def numeric(version):
    return [int(part) for part in version.split(".")]


def models_of_the_built_in(http):
    """Discover models as Copilot Chat does: version, list, then each model in turn; only bodies count."""
    assert numeric(http("GET", "/api/version", headers=COPILOT).json()["version"]) >= [0, 6, 4]
    found = {}
    for model in http("GET", "/api/tags", headers=COPILOT).json()["models"]:
        shown = http("POST", "/api/show", json={"model": model["model"]}, headers=COPILOT).json()
        info = shown["model_info"]
        found[model["model"]] = {
            "tools": "tools" in shown["capabilities"],
            "vision": "vision" in shown["capabilities"],
            "context": info[f"{info['general.architecture']}.context_length"],
            "label": info.get("general.basename"),
        }
    return found


def events_of(response):
    """Read a stream as Copilot Chat does: lines without their first five characters."""
    for line in response.iter_lines():
        if line and not line.startswith(b":"):
            data = line[5:].strip()
            if data == b"[DONE]":
                return
            yield json.loads(data)


def test_the_built_in_integration_finds_the_models(http):
    found = models_of_the_built_in(http)
    assert found["tiny-chat:latest"]["tools"]
    assert found["tiny-vision:latest"]["vision"]
    assert all(type(model["context"]) is int and model["context"] > 0 for model in found.values())
    labels = [model["label"] for model in found.values()]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_integration_accepts_an_address_with_a_final_slash(http, slash):
    assert "version" in http("GET", f"{slash}/api/version", headers=COPILOT).json()


def chat_of_the_built_in(http, messages, **more):
    body = {
        "model": "tiny-chat:latest",
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        "n": 1,
        "temperature": 0.1,
        "top_p": 1,
        **more,
    }
    response = http("POST", "/v1/chat/completions", json=body, headers={**COPILOT, **CHATTING}, stream=True)
    assert response.status_code == 200
    return list(events_of(response))


def test_the_built_in_integration_chats(http):
    messages = [
        {"role": "system", "content": "You are Rumpel.", "copilot_cache_control": {"type": "ephemeral"}},
        {"role": "user", "content": [{"type": "text", "text": "Who are you?"}], "name": "x"},
    ]
    events = chat_of_the_built_in(http, messages)
    choices = [event["choices"][0] for event in events if event.get("choices")]
    assert "".join(choice["delta"].get("content") or "" for choice in choices).startswith("I am Rumpel")
    assert [choice["finish_reason"] for choice in choices if choice.get("finish_reason")] == ["stop"]
    assert all("index" in choice for choice in choices)
    usage = next(event["usage"] for event in reversed(events) if event.get("usage"))
    assert all(isinstance(usage[name], int) for name in ("prompt_tokens", "completion_tokens", "total_tokens"))


def test_the_built_in_integration_calls_a_tool(http):
    question = [{"role": "user", "content": "What is the weather in Oslo?"}]
    choice = {"type": "function", "function": {"name": "get_weather"}}
    events = chat_of_the_built_in(http, question, tools=[TOOL], tool_choice=choice)
    deltas = [event["choices"][0]["delta"] for event in events if event.get("choices")]
    pieces = [call for delta in deltas for call in delta.get("tool_calls") or ()]
    assert pieces[0]["id"]
    assert pieces[0]["function"]["name"] == "get_weather"
    arguments = json.loads("".join(piece["function"].get("arguments") or "" for piece in pieces))
    assert arguments == {"city": "Oslo"}
    result = [
        *question,
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": pieces[0]["id"],
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": json.dumps(arguments)},
                }
            ],
        },
        {"role": "tool", "tool_call_id": pieces[0]["id"], "content": '{"temperature": 17, "sky": "rainy"}'},
    ]
    events = chat_of_the_built_in(http, result, tools=[TOOL])
    texts = [event["choices"][0]["delta"].get("content") or "" for event in events if event.get("choices")]
    assert "".join(texts) == "It is 17 degrees and rainy in Oslo."


def test_the_extension_finds_the_models_all_at_once(http, shim):
    assert http("GET", "/api/version").ok
    models = http("GET", "/api/tags").json()["models"]
    http("GET", "/api/experimental/model-recommendations")
    asks = [{"model": model["name"], "verbose": False} for model in models]
    with ThreadPoolExecutor(len(asks)) as pool:
        shown = list(pool.map(lambda ask: requests.post(f"{shim.url}/api/show", json=ask, timeout=30), asks))
    assert all(response.ok for response in shown)
    for model, response in zip(models, shown, strict=True):
        assert isinstance(model["name"], str)
        assert set(model["capabilities"]) == set(response.json()["capabilities"])


def test_the_extension_chats_and_watches_what_is_loaded(http, shim):
    body = {
        "model": "tiny-chat:latest",
        "messages": [{"role": "user", "content": "What is the weather in Oslo?"}],
        "tools": [TOOL],
        "stream": True,
    }
    with http("POST", "/api/chat", json=body, stream=True) as response:
        running = requests.get(f"{shim.url}/api/ps", timeout=5).json()["models"]
        lines = [json.loads(line) for line in response.iter_lines()]
    entry = next(model for model in running if model["model"] == "tiny-chat:latest")
    assert entry["context_length"] > 0
    assert lines[-1]["done"] is True
    assert all(isinstance(lines[-1][name], int) for name in ("prompt_eval_count", "eval_count"))
    [call] = [call for line in lines for call in line["message"].get("tool_calls", ())]
    assert call["function"]["arguments"] == {"city": "Oslo"}
    assert all(isinstance(line["message"]["content"], str) for line in lines)
    assert not any("error" in line or "type" in line for line in lines)
    result = {"role": "tool", "content": '{"temperature": 17, "sky": "rainy"}', "tool_call_id": call["id"]}
    history = [*body["messages"], {"role": "assistant", "content": "", "tool_calls": [call]}, result]
    answer = http("POST", "/api/chat", json={**body, "messages": history, "stream": False}).json()
    assert answer["message"]["content"] == "It is 17 degrees and rainy in Oslo."


def test_the_extension_reads_its_context_size_from_the_parameters(http):
    http("POST", "/api/generate", json={"model": "tiny-chat"})
    shown = http("POST", "/api/show", json={"model": "tiny-chat"}).json()
    assert shown["parameters"].split() == ["num_ctx", "4096"]
