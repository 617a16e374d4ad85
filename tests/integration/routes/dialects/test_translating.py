"""Responses and Messages answered by a chat: streamed, whole and broken."""

from __future__ import annotations

import socket

import pytest
from support.answers import END, USAGE, endless, sse, streams
from support.apps import served

from flask_shim.services import services_of

HI = [{"role": "user", "content": "hi"}]
RESPONSES = {"model": "tiny:latest", "input": "hi"}
MESSAGES = {"model": "tiny:latest", "max_tokens": 5, "messages": HI}
BOTH = [("/v1/responses", RESPONSES), ("/v1/messages", MESSAGES)]


def test_a_whole_response_has_text_counts_and_requested_name(lm_studio, client_of):
    body = client_of(lm_studio("v0", streams("Hel", "lo"))).post("/v1/responses", json=RESPONSES).json
    assert body["output"][0]["content"][0]["text"] == "Hello"
    assert (body["model"], body["status"]) == ("tiny:latest", "completed")
    assert (body["usage"]["input_tokens"], body["usage"]["output_tokens"]) == (3, 2)
    assert body["created_at"] <= body["completed_at"]


def test_a_whole_message_has_text_counts_and_requested_name(lm_studio, client_of):
    body = client_of(lm_studio("v0", streams("Hel", "lo"))).post("/v1/messages", json=MESSAGES).json
    number = body.pop("id")
    assert number.startswith("msg_")
    assert body == {
        "type": "message",
        "role": "assistant",
        "model": "tiny:latest",
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }


def test_a_response_is_streamed_as_it_is_made(lm_studio, client_of, events):
    answer = client_of(lm_studio("v0", streams("Hel", "lo"))).post("/v1/responses", json={**RESPONSES, "stream": True})
    received = events(answer)
    assert answer.mimetype == "text/event-stream"
    assert [event["delta"] for event in received if event["type"] == "response.output_text.delta"] == ["Hel", "lo"]
    assert (received[0]["type"], received[-1]["type"]) == ("response.created", "response.completed")
    assert received[-1]["response"]["usage"]["total_tokens"] == USAGE["total_tokens"]


def test_a_message_is_streamed_as_it_is_made(lm_studio, client_of, events):
    answer = client_of(lm_studio("v0", streams("Hel", "lo"))).post("/v1/messages", json={**MESSAGES, "stream": True})
    received = events(answer)
    assert answer.mimetype == "text/event-stream"
    assert [event["delta"]["text"] for event in received if event["type"] == "content_block_delta"] == ["Hel", "lo"]
    assert received[0]["message"]["usage"] == {"input_tokens": 1, "output_tokens": 0}
    assert received[-2]["usage"] == {"input_tokens": 3, "output_tokens": 2}
    assert received[-1] == {"type": "message_stop"}


def fragment(**function):
    call = {"index": 0, "id": "c1", "function": function}
    return sse({"choices": [{"delta": {"tool_calls": [call]}}]})


CALLING = streams(fragment(name="look", arguments=""), fragment(arguments='{"at":'), fragment(arguments='"door"}'))


def test_a_call_is_sent_as_a_function_call(lm_studio, client_of):
    tool = {"type": "function", "name": "look", "parameters": {"type": "object"}}
    body = client_of(lm_studio("v0", CALLING)).post("/v1/responses", json={**RESPONSES, "tools": [tool]}).json
    (item,) = body["output"]
    assert (item["call_id"], item["name"], item["arguments"]) == ("c1", "look", '{"at":"door"}')


def test_a_call_is_sent_as_a_tool_use(lm_studio, client_of):
    tool = {"name": "look", "input_schema": {"type": "object"}}
    body = client_of(lm_studio("v0", CALLING)).post("/v1/messages", json={**MESSAGES, "tools": [tool]}).json
    assert body["content"] == [{"type": "tool_use", "id": "c1", "name": "look", "input": {"at": "door"}}]
    assert body["stop_reason"] == "tool_use"


THINKING = streams(sse({"choices": [{"delta": {"reasoning_content": "Hm."}}]}), "Yes.")


@pytest.mark.parametrize(
    ("settings", "wanted", "kinds"),
    [
        ({}, {}, ["thinking", "text"]),
        ({}, {"thinking": {"type": "disabled"}}, ["text"]),
        ({"reasoning": "hide"}, {}, ["text"]),
    ],
)
def test_thinking_is_shown_where_it_is_wanted(settings, wanted, kinds, lm_studio, client_of):
    client = client_of(lm_studio("v0", THINKING), **settings)
    body = client.post("/v1/messages", json={**MESSAGES, **wanted}).json
    assert [block["type"] for block in body["content"]] == kinds


def test_only_known_chat_fields_reach_an_old_backend(lm_studio, client_of):
    backend = lm_studio("v0", streams("Hi"))
    codex = {"store": False, "include": ["reasoning.encrypted_content"], "prompt_cache_key": "k", "client_metadata": {}}
    client_of(backend).post("/v1/responses", json={**RESPONSES, **codex, "tools": [{"type": "web_search"}]})
    assert backend.asked[-1].json == {
        "model": "tiny",
        "messages": HI,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize(
    ("path", "body", "last"), [(*BOTH[0], "response.failed"), (*BOTH[1], "error")], ids=["responses", "messages"]
)
def test_a_stream_that_breaks_ends_with_one_error_event(path, body, last, lm_studio, client_of, events):
    backend = lm_studio("v0", streams("Hel", ends=False))
    received = events(client_of(backend).post(path, json={**body, "stream": True}))
    assert [event["type"] for event in received if "error" in event] == [last]
    assert received[-1]["type"] == last
    assert "connection lost" in received[-1]["error"]["message"]


@pytest.mark.parametrize(("path", "body"), BOTH)
def test_everything_is_released_after_the_answer(path, body, lm_studio, app_of):
    app = app_of(lm_studio("v0", streams("Hi")))
    for stream in (True, False):
        app.test_client().post(path, json={**body, "stream": stream}).close()
    parts = services_of(app)
    assert (parts.slots.in_use, len(parts.backends.first.client.watchdog)) == (0, 0)


@pytest.mark.parametrize(("path", "body"), BOTH)
def test_without_a_free_slot_the_answer_is_busy(path, body, lm_studio, app_of):
    app = app_of(lm_studio("v0", streams("Hi")), max_streams=1)
    with services_of(app).slots.take():
        answer = app.test_client().post(path, json=body)
    assert answer.status_code == 503
    assert "busy" in answer.json["error"]["message"]


@pytest.mark.parametrize("stream", ["true", "false"])
@pytest.mark.parametrize(
    ("path", "rest"), [("responses", '"input":"hi"'), ("messages", '"max_tokens":5,"messages":[{"role":"user"}]')]
)
def test_a_disconnect_frees_the_backend(path, rest, stream, lm_studio, app_of):
    backend = lm_studio("v0", endless())
    body = f'{{"model":"tiny","stream":{stream},{rest}}}'
    head = f"POST /v1/{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    with served(app_of(backend), channel_request_lookahead=1) as port:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(head.encode() + body.encode())
            backend.until(lambda: backend.asked_for("/v1/chat/completions"))
        backend.until(lambda: any(peer.asked[-1].path == "/v1/chat/completions" for peer in backend.gone))


@pytest.mark.parametrize("stream", [True, False])
def test_a_request_without_content_only_loads_the_model(stream, lm_studio, client_of, events):
    backend = lm_studio("v0")
    answer = client_of(backend).post("/v1/responses", json={"model": "tiny", "input": "", "stream": stream})
    body = events(answer)[-1]["response"] if stream else answer.json
    assert body["output"][0]["content"][0]["text"] == ""
    assert body["usage"]["total_tokens"] == 0
    assert not backend.asked_for("/v1/chat/completions")


@pytest.mark.parametrize("generation", ["v0", "openai"])
@pytest.mark.parametrize("more", [{"previous_response_id": "resp_1"}, {"conversation": "conv_1"}])
def test_stored_state_is_ignored_as_ollama_does(more, generation, lm_studio, client_of, caplog):
    answer = client_of(lm_studio(generation, streams("Hello"))).post("/v1/responses", json={**RESPONSES, **more})
    assert (answer.status_code, answer.json["output"][0]["content"][0]["text"]) == (200, "Hello")
    assert "ignored previous_response_id" in caplog.text


def test_a_prompt_that_ends_at_once_is_an_empty_answer(lm_studio, client_of):
    body = client_of(lm_studio("v0", streams(END, ends=False))).post("/v1/messages", json=MESSAGES).json
    assert (body["content"], body["stop_reason"]) == ([], "end_turn")


@pytest.mark.parametrize("generation", ["v1", "v0", "openai"])
@pytest.mark.parametrize(
    ("tool", "name", "expected"),
    [
        ({"type": "custom", "name": "patch"}, "patch", {"type": "custom_tool_call", "name": "patch", "input": "door"}),
        (
            {"type": "namespace", "name": "mcp__files", "tools": [{"type": "function", "name": "read"}]},
            "mcp__files__read",
            {"type": "function_call", "name": "read", "namespace": "mcp__files", "arguments": '{"input":"door"}'},
        ),
    ],
)
def test_a_call_has_the_form_in_which_its_tool_was_offered(tool, name, expected, generation, lm_studio, client_of):
    calling = streams(fragment(name=name, arguments='{"input":"door"}'))
    client = client_of(lm_studio(generation, calling))
    (item,) = client.post("/v1/responses", json={**RESPONSES, "tools": [tool]}).json["output"]
    assert expected.items() <= item.items()
