"""Open WebUI, replayed: lists are JSON by their content type, streams are read line by line, counts are counts."""

from __future__ import annotations

import json

import pytest
from clients.known import HELLO, OSLO, WEATHER, user
from support.raw_http import exchange

LONGEST_LINE = 128 * 1024
COUNTS = (
    "total_duration",
    "load_duration",
    "prompt_eval_count",
    "prompt_eval_duration",
    "eval_count",
    "eval_duration",
)
HEADERS = {"Content-Type": "application/json", "User-Agent": "Python/3.11 aiohttp/3.14.5"}


class WebUi:
    """Its proxy in front of the port. ``prefix_id`` and keys are its own affair."""

    def __init__(self, port):
        self.port = port

    def json(self, method, path, body=None):
        """Return what aiohttp gives as JSON, which it does for that content type only."""
        reply = exchange(self.port, method, path, body, HEADERS)
        assert reply.header("Content-Type").startswith("application/json")
        assert reply.status == 200, reply.text
        return reply.json

    def models(self):
        """Return the map that every later request is looked up in."""
        running = {model["model"]: model["expires_at"] for model in self.json("GET", "/api/ps")["models"]}
        return {
            model["model"]: {**model, "expires_at": running.get(model["model"])}
            for model in self.json("GET", "/api/tags")["models"]
        }

    def named(self, name):
        """Return the name as it is sent on; it is an error here if the map does not have it."""
        full = name if ":" in name else f"{name}:latest"
        assert full in self.models()
        return full

    def chat(self, name, messages, **more):
        """Yield the parsed lines of a chat."""
        body = {"model": self.named(name), "messages": messages, "stream": True, "options": {"temperature": 0}, **more}
        return _lines(exchange(self.port, "POST", "/api/chat", body, HEADERS))


def _lines(reply):
    assert reply.status == 200, reply.text
    lines = reply.body.split(b"\n")
    assert lines.pop() == b""
    assert max(map(len, lines)) < LONGEST_LINE
    return [json.loads(line) for line in lines]


@pytest.fixture
def webui(demo):
    return WebUi(demo.port)


def test_the_version_is_made_of_numbers(webui):
    version = webui.json("GET", "/api/version")["version"].removeprefix("v").partition("-")[0]
    assert all(int(part) >= 0 for part in version.split("."))


def test_models_are_listed_and_found_without_their_tag(webui):
    assert webui.named("tiny-chat") == "tiny-chat:latest"
    assert webui.models()["tiny-chat:latest"]["name"]


def test_a_chat_is_read_line_by_line(webui):
    *parts, last = webui.chat("tiny-chat", [user("Hello")], keep_alive="5m", think=False)
    assert "".join(part["message"]["content"] for part in parts) == HELLO
    assert not any(part["done"] for part in parts)
    assert last["done"]
    assert all(int(last[name]) >= 0 for name in COUNTS)


def test_calls_are_read_from_their_line(webui):
    parts = webui.chat("tiny-chat", [user(OSLO)], tools=[WEATHER])
    calls = [call for part in parts for call in part["message"].get("tool_calls", ())]
    assert [(call["function"]["name"], json.dumps(call["function"]["arguments"])) for call in calls] == [
        ("get_weather", '{"city": "Oslo"}')
    ]
    assert all(call["id"] and call["function"]["index"] == 0 for call in calls)


def test_a_task_in_the_background_is_one_object(webui):
    body = {"model": "tiny-chat:latest", "messages": [user("Hello")], "stream": False, "options": {"temperature": 0}}
    assert webui.json("POST", "/api/chat", body)["message"]["content"] == HELLO


def test_unloading_answers_with_one_object(webui):
    assert webui.json("POST", "/api/generate", {"model": "tiny-chat:latest", "keep_alive": 0, "prompt": ""})["done"]


def test_loaded_models_tell_when_they_go(webui):
    webui.json("POST", "/api/generate", {"model": "plain:latest", "keep_alive": "5m"})
    assert webui.models()["plain:latest"]["expires_at"]


def test_a_pull_can_be_drawn_as_a_bar(webui):
    steps = _lines(exchange(webui.port, "POST", "/api/pull", {"model": "acme/second", "insecure": True}, HEADERS))
    shares = [step["completed"] / step["total"] for step in steps if step.get("completed")]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert steps[-1] == {"status": "success"}


def test_a_name_is_deleted_by_both_fields(webui):
    exchange(webui.port, "POST", "/api/copy", {"source": "plain:latest", "destination": "mine"}, HEADERS)
    reply = exchange(webui.port, "DELETE", "/api/delete", {"name": "mine", "model": "mine"}, HEADERS)
    assert reply.status == 200
    assert "mine:latest" not in webui.models()


def test_texts_become_vectors(webui):
    body = {"model": "tiny-embed:latest", "input": ["a", "b"], "truncate": True}
    assert [len(vector) for vector in webui.json("POST", "/api/embed", body)["embeddings"]] == [64, 64]
