"""Responses that only LM Studio 0.4 can answer, completed to what OpenAI specifies."""

from __future__ import annotations

import json

import pytest
from support.answers import replies, streams

STORED = {"model": "tiny", "input": "hi", "store": True}
CONTINUED = {"model": "tiny", "input": "hi", "previous_response_id": f"resp_{'0a' * 24}"}
MCP = {"model": "tiny", "input": "hi", "tools": [{"type": "mcp", "server_url": "http://x"}]}


def stream(*events, ends=True):
    text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    return streams(text.encode(), *([b""] if ends else []), ends=False)


CREATED = {"type": "response.created", "response": {"id": "resp_x", "object": "response", "status": "in_progress"}}
ITEM = {"id": "msg_1", "type": "message"}
PART = {"type": "output_text", "text": ""}
TEXT = [
    {"type": "response.output_item.added", "item": ITEM},
    {"type": "response.content_part.added", "part": PART},
    {"type": "response.output_text.delta", "delta": "Hello"},
    {"type": "response.output_text.done", "text": "Hello"},
    {"type": "response.output_item.done", "item": {**ITEM, "content": [{**PART, "text": "Hello"}]}},
]
COMPLETED = {"type": "response.completed", "response": {"id": "resp_x", "status": "completed"}}


@pytest.mark.parametrize("body", [STORED, CONTINUED, MCP], ids=["stored", "continued", "mcp"])
def test_lm_studio_answers_what_needs_its_state_or_tools(body, lm_studio, client_of):
    backend = lm_studio("v1", responses=replies({"id": "resp_x"}))
    answer = client_of(backend, allow_mcp=True).post("/v1/responses", json=body)
    assert (answer.status_code, answer.json["id"]) == (200, "resp_x")
    assert backend.asked_for("/v1/responses")[-1].json == body


@pytest.mark.parametrize("generation", ["v0", "openai"])
@pytest.mark.parametrize("body", [STORED, CONTINUED, MCP], ids=["stored", "continued", "mcp"])
def test_older_versions_answer_with_a_chat(body, generation, lm_studio, client_of):
    backend = lm_studio(generation, streams("Hello"))
    answer = client_of(backend, allow_mcp=True).post("/v1/responses", json=body)
    assert answer.json["output"][0]["content"][0]["text"] == "Hello"


def test_an_id_of_the_shim_is_not_sent_to_lm_studio(lm_studio, client_of):
    client = client_of(lm_studio("v1", streams("Hello")))
    first = client.post("/v1/responses", json={"model": "tiny", "input": "hi"}).json
    body = {"model": "tiny", "input": "hi", "previous_response_id": first["id"]}
    assert client.post("/v1/responses", json=body).json["output"][0]["content"][0]["text"] == "Hello"


def test_a_whole_response_is_completed(lm_studio, client_of):
    client = client_of(lm_studio("v1", responses=replies({"id": "resp_x", "output": [ITEM]})))
    body = client.post("/v1/responses", json={**STORED, "instructions": "Be kind."}).json
    assert (body["instructions"], body["tools"], body["error"], body["parallel_tool_calls"]) == (
        "Be kind.",
        [],
        None,
        True,
    )
    assert body["output"] == [{"status": "completed", "role": "assistant", "content": [], **ITEM}]


def test_a_streamed_response_is_completed(lm_studio, client_of, events):
    client = client_of(lm_studio("v1", responses=stream(CREATED, *TEXT, COMPLETED)))
    received = events(client.post("/v1/responses", json={**STORED, "stream": True}))
    assert [event["sequence_number"] for event in received] == list(range(7))
    assert [event["output_index"] for event in received[1:-1]] == [0] * 5
    assert [event["content_index"] for event in received[2:5]] == [0] * 3
    assert received[0]["response"]["output"] == []
    assert received[-1]["response"]["output"][0]["content"][0]["text"] == "Hello"


@pytest.mark.parametrize(
    "last", [COMPLETED, {"type": "error", "error": {"message": "boom"}}], ids=["complete", "error"]
)
def test_a_stream_with_its_last_event_gets_no_other(last, lm_studio, client_of, events):
    client = client_of(lm_studio("v1", responses=stream(CREATED, last)))
    received = events(client.post("/v1/responses", json={**STORED, "stream": True}))
    assert [event["type"] for event in received] == ["response.created", last["type"]]


@pytest.mark.parametrize("ends", [True, False], ids=["ended", "cut"])
def test_a_stream_without_its_last_event_ends_with_one_error(ends, lm_studio, client_of, events):
    client = client_of(lm_studio("v1", responses=stream(CREATED, *TEXT, ends=ends)))
    received = events(client.post("/v1/responses", json={**STORED, "stream": True}))
    assert [event["type"] for event in received if "error" in event] == ["error"]
    assert received[-1]["type"] == "error"
