"""Clients with strict types, replayed: the Go command line, Zed, Roo Code, Home Assistant, Continue."""

from __future__ import annotations

import json

import msgspec
import pytest
from clients.known import HELLO, OSLO, PERSON, RAIN, RAINY, WEATHER, user
from clients.strict import GoChat, GoPs, GoShown, GoTags, RooShown, RooTags, ZedTags, decode
from support.raw_http import exchange

COLD = {"temperature": 0}
CLI = {
    "User-Agent": "ollama/0.40.12 (amd64 linux) Go/go1.26",
    "Accept": "application/x-ndjson",
    "Content-Type": "application/json",
}


@pytest.fixture
def send(demo):
    """Return a function that sends as the command line does, and wants a 200."""

    def sent(method, path, body=None):
        reply = exchange(demo.port, method, path, body, CLI)
        assert reply.status == 200, reply.text
        return reply

    return sent


def lines(reply, kind):
    """Decode a stream as Go's scanner does: every line, and a blank one is fatal."""
    return [decode(line, kind) for line in reply.body.removesuffix(b"\n").split(b"\n")]


@pytest.mark.parametrize("kind", [GoTags, ZedTags, RooTags])
def test_the_list_is_decoded(send, kind):
    assert len(decode(send("GET", "/api/tags").body, kind).models) > 5


def test_the_list_is_printed(send):
    rows = [
        (model.name, model.digest[:12], model.size) for model in decode(send("GET", "/api/tags").body, GoTags).models
    ]
    assert all(name and digest and size for name, digest, size in rows)


@pytest.mark.parametrize("kind", [GoShown, RooShown])
@pytest.mark.parametrize("name", ["plain", "tiny-chat", "tiny-think", "tiny-vision", "tiny-embed", "acme/visitor"])
def test_a_model_is_decoded(send, name, kind):
    shown = decode(
        send(
            "POST", "/api/show", {"model": name, "system": "", "template": "", "verbose": False, "options": None}
        ).body,
        kind,
    )
    architecture = shown.model_info["general.architecture"]
    assert shown.model_info[f"{architecture}.context_length"] > 0


def test_what_is_loaded_is_decoded(send):
    send("POST", "/api/generate", {"model": "plain", "keep_alive": -1})
    running = {model.name: model for model in decode(send("GET", "/api/ps").body, GoPs).models}
    assert running["plain:latest"].context_length > 0


def test_run_checks_the_server_then_shows_loads_and_chats(demo, send):
    assert exchange(demo.port, "HEAD", "/").status == 200
    send("POST", "/api/show", {"model": "tiny-chat", "name": "", "system": "", "template": "", "options": None})
    loading = {"model": "tiny-chat", "prompt": "", "suffix": "", "system": "", "template": "", "options": {}}
    assert send("POST", "/api/generate", {**loading, "keep_alive": "5m0s", "think": None}).json["done_reason"] == "load"
    chat = {"model": "tiny-chat", "messages": [user("Hello")], "format": "", "keep_alive": "5m0s", "options": COLD}
    *said, last = lines(send("POST", "/api/chat", chat), GoChat)
    assert "".join(line.message.content for line in said) == HELLO
    assert (last.done, last.done_reason) == (True, "stop")
    assert min(last.total_duration, last.load_duration, last.prompt_eval_duration, last.eval_duration) > 0


def test_run_pulls_what_is_not_there(demo):
    shown = exchange(demo.port, "POST", "/api/show", {"model": "nope", "name": ""}, CLI)
    assert (shown.status, "not found" in shown.json["error"]) == (404, True)


def test_stop_and_rm_go_through(demo, send):
    send("POST", "/api/copy", {"source": "plain", "destination": "gone"})
    stopping = {"model": "gone", "prompt": "", "keep_alive": "0s"}
    assert send("POST", "/api/generate", stopping).json["done_reason"] == "unload"
    assert send("DELETE", "/api/delete", {"model": "", "name": "gone"}).body == b""


def test_a_push_is_refused_with_a_text(demo):
    reply = exchange(demo.port, "POST", "/api/push", {"model": "", "name": "plain", "insecure": False}, CLI)
    assert isinstance(reply.json["error"], str)


def test_zed_chats_with_nulls_for_options(send):
    asked = {
        "model": "tiny-chat:latest",
        "messages": [user(OSLO), {"role": "assistant", "content": "", "tool_calls": [{"function": WEATHER_CALL}]},
                     {"role": "tool", "tool_name": "get_weather", "content": RAIN}],
        "stream": True,
        "keep_alive": -1,
        "options": {"num_ctx": 4096, "num_predict": None, "stop": [], "temperature": 0, "top_p": None},
        "tools": [WEATHER],
        "think": None,
    }  # fmt: skip
    parts = lines(send("POST", "/api/chat", asked), GoChat)
    assert "".join(part.message.content for part in parts) == RAINY
    assert {part.message.role for part in parts} == {"assistant"}


WEATHER_CALL = {"name": "get_weather", "arguments": {"city": "Oslo"}}


def test_home_assistant_is_answered_in_rounds(send):
    asked = {"model": "tiny-chat:latest", "tools": [WEATHER], "stream": True, "options": {"num_ctx": 8192, **COLD}}
    settings = {"keep_alive": "300s", "think": False}
    parts = lines(send("POST", "/api/chat", {**asked, **settings, "messages": [user(OSLO)]}), GoChat)
    (call,) = [call for part in parts for call in part.message.tool_calls]
    found = [
        user(OSLO),
        {
            "role": "assistant",
            "tool_calls": [{"function": {"name": call.function.name, "arguments": call.function.arguments}}],
        },
        {"role": "tool", "content": RAIN},
    ]
    parts = lines(send("POST", "/api/chat", {**asked, **settings, "messages": found}), GoChat)
    assert "".join(part.message.content for part in parts) == RAINY


def test_home_assistant_pulls_without_a_stream(send):
    assert send("POST", "/api/pull", {"model": "tiny-chat", "stream": False}).text == '{"status":"success"}'


def test_a_task_keeps_to_its_schema(send):
    asked = {"model": "tiny-chat", "messages": [user("Give me a person as JSON")], "format": PERSON, "options": COLD}
    parts = lines(send("POST", "/api/chat", asked), GoChat)
    assert json.loads("".join(part.message.content for part in parts)) == {"name": "Ada", "age": 36}


def test_continue_shows_by_the_old_field_and_completes_in_the_middle(send):
    template = send("POST", "/api/show", {"name": "tiny-chat"}).json["template"]
    assert ".Suffix" in template
    asked = {
        "model": "tiny-chat",
        "prompt": "def mul(a, b):\n    return ",
        "suffix": "\n",
        "raw": False,
        "keep_alive": 1800,
        "options": {"num_predict": 8, "num_ctx": 8192, "stop": ["\n\n"], **COLD},
        "stream": True,
    }
    parts = [json.loads(line) for line in send("POST", "/api/generate", asked).text.splitlines()]
    assert parts[-1]["done"]
    assert not any({"error", "type"} & part.keys() for part in parts)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b'{"models":null}', GoTags),
        (b'{"models":[{"name":"x"}]}', ZedTags),
        (b'{"models":[{"name":"x","model":"x","details":null}]}', RooTags),
        (b'{"model":"x","created_at":"","message":{"role":"assistant","content":"x"},"done":false}', GoChat),
        (b'{"model":"x","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":null}}', GoChat),
        (b'{"models":[{"name":"x","model":"x","size":1.5}]}', GoPs),
        (b"", GoChat),
    ],
)  # fmt: skip
def test_the_replay_breaks_where_the_clients_do(raw, kind):
    with pytest.raises(msgspec.DecodeError):
        decode(raw, kind)
