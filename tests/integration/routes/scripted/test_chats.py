"""/api/chat and /api/generate: what is sent, and what comes back, streamed and whole."""

from __future__ import annotations

import json
import re

import pytest
from support.pictures import picture

DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z")
DURATIONS = ["total_duration", "load_duration", "prompt_eval_duration", "eval_duration"]
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}


def text_of(record):
    return record["message"]["content"] if "message" in record else record["response"]


@pytest.mark.parametrize("route", ["chat", "generate"])
def test_a_stream_has_one_line_per_token_and_a_last_one(client, lines, route):
    response = client.ask(route)
    assert (response.status_code, response.content_type) == (200, "application/x-ndjson")
    *tokens, last = lines(response)
    assert [text_of(line) for line in tokens] == ["Hel", "lo"]
    assert [line["done"] for line in tokens] == [False, False]
    assert (text_of(last), last["done"], last["done_reason"]) == ("", True, "stop")
    assert (last["prompt_eval_count"], last["eval_count"]) == (11, 4)
    assert all(type(last[name]) is int and last[name] > 0 for name in DURATIONS)


@pytest.mark.parametrize("route", ["chat", "generate"])
def test_a_whole_answer_is_one_object(client, route):
    response = client.ask(route, stream=False)
    assert (response.status_code, response.content_type) == (200, "application/json; charset=utf-8")
    record = response.json
    assert (text_of(record), record["done"], record["done_reason"]) == ("Hello", True, "stop")
    assert (record["prompt_eval_count"], record["eval_count"]) == (11, 4)
    assert all(type(record[name]) is int and record[name] > 0 for name in DURATIONS)
    assert not response.data.endswith(b"\n")


@pytest.mark.parametrize("stream", [True, False, None])
@pytest.mark.parametrize("route", ["chat", "generate"])
def test_a_stream_with_usage_is_always_requested(client, backend, route, stream):
    assert client.ask(route, stream=stream).status_code == 200
    assert backend.payload == {
        "model": "plain-7b",
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("route", ["chat", "generate"])
@pytest.mark.parametrize("name", ["plain-7b", "plain-7b:latest", "Plain-7B", "library/plain-7b:latest"])
def test_answers_have_the_requested_name(client, backend, lines, route, stream, name):
    response = client.ask(route, stream=stream, model=name)
    records = lines(response) if stream else [response.json]
    assert {record["model"] for record in records} == {name}
    assert all(DATE.fullmatch(record["created_at"]) for record in records)
    assert backend.payload["model"] == "plain-7b"


def test_an_answer_without_a_word_is_only_the_last_line(client, backend, lines):
    backend.script()
    assert [line["done"] for line in lines(client.chat())] == [True]
    assert client.chat(stream=False).json["message"] == {"role": "assistant", "content": ""}


@pytest.mark.parametrize(
    "content_type", [None, "application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_a_body_is_read_whatever_its_type(client, content_type):
    body = json.dumps({"model": "plain-7b", "messages": [{"role": "user", "content": "Hi"}]})
    assert client.http.post("/api/chat", data=body, content_type=content_type).status_code == 200


def test_system_prompt_and_options_arrive(client, backend):
    client.generate(system="Be brief.", options={"temperature": 0, "num_predict": 5, "stop": ["x"], "mirostat": 1})
    assert backend.payload["messages"][0] == {"role": "system", "content": "Be brief."}
    assert [backend.payload[name] for name in ("temperature", "max_tokens", "stop")] == [0, 5, ["x"]]
    assert "mirostat" not in backend.payload


def test_the_context_carries_the_conversation_on(client, backend, lines):
    context = lines(client.generate("Hi"))[-1]["context"]
    assert all(type(number) is int for number in context)
    assert client.generate("Hi", stream=False).json["context"] == context
    backend.mock.calls.reset()
    client.generate("And now?", context=context)
    assert [turn["content"] for turn in backend.payload["messages"]] == ["Hi", "Hello", "And now?"]


def test_the_context_keeps_the_system_prompt_until_another_is_given(client, backend, lines):
    context = lines(client.generate("Hi", system="Be a pirate."))[-1]["context"]
    for given, system in ({}, "Be a pirate."), ({"system": "Be a cook."}, "Be a cook."):
        backend.mock.calls.reset()
        client.generate("And now?", context=context, **given)
        assert [turn["content"] for turn in backend.payload["messages"]] == [system, "Hi", "Hello", "And now?"]


def test_a_context_of_another_server_is_left_out(client, backend):
    assert client.generate(context=[100, 101, 102]).status_code == 200
    assert len(backend.payload["messages"]) == 1


def test_a_raw_prompt_is_a_completion_without_context(client, backend, lines):
    backend.answers(b'data: {"choices":[{"text":"raw","finish_reason":"stop"}]}\n\n', content_type="text/event-stream")
    last = lines(client.generate("Once", raw=True))[-1]
    [(path, payload)] = backend.asked
    assert (path, payload["prompt"], "messages" in payload) == ("/v1/completions", "Once", False)
    assert "context" not in last


def test_generation_can_use_completions_by_setting(shim, backend):
    shim(generate_via="completions").generate("Once", system="Be brief.")
    assert [(path, payload["prompt"]) for path, payload in backend.asked] == [("/v1/completions", "Be brief.\n\nOnce")]


@pytest.mark.parametrize("format_", ["json", {"type": "object", "properties": {"a": {"type": "string"}}}])
def test_structure_is_requested_by_a_schema(client, backend, format_):
    client.chat(format=format_)
    schema = {"type": "object"} if format_ == "json" else format_
    assert backend.payload["response_format"]["json_schema"]["schema"] == schema


def thought(text):
    return {"choices": [{"delta": {"reasoning_content": text}}]}


@pytest.mark.parametrize("route", ["chat", "generate"])
def test_thinking_has_lines_of_its_own_before_the_answer(client, backend, lines, route):
    backend.script(thought("Hm"), thought("."), "Hello")
    records = lines(client.ask(route, model="qwen/qwen3-8b"))
    thoughts = [record.get("message", record).get("thinking") for record in records]
    assert thoughts == ["Hm", ".", None, None]
    assert [text_of(record) for record in records] == ["", "", "Hello", ""]


@pytest.mark.parametrize("stream", [True, False])
def test_unwanted_thinking_is_neither_requested_nor_shown(client, backend, lines, stream):
    backend.script(thought("Hm."), "Hello")
    response = client.chat(model="qwen/qwen3-8b", think=False, stream=stream)
    records = lines(response) if stream else [response.json]
    assert not any("thinking" in record["message"] for record in records)
    assert "".join(record["message"]["content"] for record in records) == "Hello"
    assert backend.payload["reasoning_effort"] == "none"


def test_an_effort_the_backend_rejects_is_left_out(client, backend):
    backend.answers({"error": "Invalid reasoning_effort"}, status=400)
    assert client.chat(model="qwen/qwen3-8b", think=False).status_code == 400
    assert [payload.get("reasoning_effort") for _, payload in backend.asked] == ["none", None]


def test_calls_have_a_line_of_their_own(client, backend, lines):
    function = {"name": "get_weather", "arguments": '{"city":"Oslo"}'}
    call = {"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "123456789", "function": function}]}}]}
    backend.script("I look.", call, finish="tool_calls")
    text, called, last = lines(client.chat(model="qwen/qwen3-8b", tools=[WEATHER]))
    assert text["message"] == {"role": "assistant", "content": "I look."}
    assert called["message"]["content"] == ""
    assert called["message"]["tool_calls"] == [
        {"id": "123456789", "function": {"index": 0, "name": "get_weather", "arguments": {"city": "Oslo"}}}
    ]
    assert (last["done_reason"], "tool_calls" in last["message"]) == ("stop", False)
    assert backend.payload["tools"] == [WEATHER]


def test_calls_written_as_text_get_an_id(client, backend):
    backend.script('<tool_call>{"name":"get_weather","arguments":{"city":"Oslo"}}</tool_call>')
    message = client.chat(model="qwen/qwen3-8b", tools=[WEATHER], stream=False).json["message"]
    [call] = message["tool_calls"]
    assert re.fullmatch(r"call_[a-z0-9]{8}", call["id"])
    assert (message["content"], call["function"]["arguments"]) == ("", {"city": "Oslo"})


def test_results_without_ids_are_paired_with_their_calls(client, backend):
    history = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "tool_calls": [{"function": {"name": "get_weather", "arguments": {"city": "Oslo"}}}]},
        {"role": "tool", "content": "rainy", "tool_name": "get_weather"},
    ]
    client.chat(messages=history)
    _, asking, result = backend.payload["messages"]
    assert (asking["content"], result["content"]) == ("", "rainy")
    assert result["tool_call_id"] == asking["tool_calls"][0]["id"]
    assert asking["tool_calls"][0]["function"]["arguments"] == '{"city":"Oslo"}'


def test_pictures_become_data_urls(client, backend):
    import base64

    images = [base64.b64encode(picture("PNG")).decode(), base64.b64encode(picture("WEBP")).decode()]
    client.chat(messages=[{"role": "user", "content": "What?", "images": images}])
    parts = backend.payload["messages"][0]["content"]
    assert [part["type"] for part in parts] == ["text", "image_url", "image_url"]
    assert all(part["image_url"]["url"].startswith("data:image/png;base64,") for part in parts[1:])


@pytest.mark.parametrize("stream", [True, False])
def test_the_token_limit_is_the_done_reason(client, backend, lines, stream):
    backend.script("Hel", finish="length")
    response = client.chat(stream=stream)
    assert (lines(response)[-1] if stream else response.json)["done_reason"] == "length"


def test_logprobs_are_passed_on(client, backend):
    entry = {"token": "Hé", "logprob": -0.25, "bytes": [72, 195, 169], "top_logprobs": []}
    backend.script({"choices": [{"delta": {"content": "Hé"}, "logprobs": {"content": [entry]}}]})
    shown = client.chat(logprobs=True, stream=False).json["logprobs"]
    assert shown == [{"token": "Hé", "logprob": -0.25, "bytes": [72, 195, 169]}]
    assert backend.payload["logprobs"] is True


def test_a_backend_that_does_not_stream_is_supported(client, backend, lines):
    backend.answers({"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]})
    assert [text_of(line) for line in lines(client.chat())] == ["Hello", ""]
