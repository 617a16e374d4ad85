"""What is filled in where LM Studio's own responses have gaps."""

from __future__ import annotations

import json

import pytest

from flask_shim.translate.openai.native_responses import ResponseCompleter, needs_backend_state
from flask_shim.translate.openai.responses_request import ResponsesRequest

CALL = {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "f"}


def completer():
    return ResponseCompleter(ResponsesRequest(model="tiny"), created_at=100)


def encode(*events):
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def completed(*events, line_end=b"\n"):
    text = completer().complete_events(encode(*events).replace(b"\n", line_end)).decode()
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


@pytest.mark.parametrize(
    ("body", "needs"),
    [
        ({}, False),
        ({"store": False}, False),
        ({"store": True}, True),
        ({"previous_response_id": ""}, False),
        ({"previous_response_id": "resp_123456789012345"}, False),
        ({"previous_response_id": "resp_4ef013eba0def1ed23f19dde72b67974c579113f544086de"}, True),
        ({"tools": [{"type": "function"}]}, False),
        ({"tools": [{"type": "mcp"}]}, True),
    ],
)
def test_only_state_and_mcp_tools_need_the_backend(body, needs):
    assert needs_backend_state(body) is needs


@pytest.mark.parametrize("arguments", ["", "{}", None])
def test_arguments_of_a_call_are_those_of_its_deltas(arguments):
    result = completed(
        {"type": "response.output_item.added", "item": CALL},
        {"type": "response.function_call_arguments.delta", "delta": '{"a"'},
        {"type": "response.function_call_arguments.delta", "delta": ":1}"},
        {"type": "response.output_item.done", "item": {**CALL, "arguments": arguments}},
    )
    assert [event["type"] for event in result[-2:]] == [
        "response.function_call_arguments.done",
        "response.output_item.done",
    ]
    assert result[-2]["arguments"] == result[-1]["item"]["arguments"] == '{"a":1}'
    assert [(event["sequence_number"], event["output_index"]) for event in result] == [(n, 0) for n in range(5)]


def test_a_done_event_is_not_sent_twice():
    done = {"type": "response.function_call_arguments.done", "item_id": "fc_1", "arguments": "{}"}
    item = {**CALL, "arguments": "{}"}
    result = completed(
        {"type": "response.output_item.added", "item": CALL}, done, {"type": "response.output_item.done", "item": item}
    )
    assert [event["type"] for event in result].count("response.function_call_arguments.done") == 1


def test_items_are_counted():
    items = [{"id": f"msg_{number}", "type": "message"} for number in range(3)]
    result = completed(*({"type": "response.output_item.added", "item": item} for item in items))
    assert [event["output_index"] for event in result] == [0, 1, 2]


def test_complete_events_are_not_changed():
    block = encode(
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "sequence_number": 0,
            "item": {**CALL, "status": "x", "arguments": ""},
        },
        {"type": "response.in_queue", "item_id": "fc_1", "output_index": 0, "content_index": 0, "sequence_number": 1},
    )
    assert completer().complete_events(b": comment\r\n\r\n" + block) == b": comment\r\n\r\n" + block


@pytest.mark.parametrize("block", [b"", b"data: [DONE]\n\n", b"data: 5\n\n", b'data: {"type":5}\n\n', b"data: {"])
def test_what_is_no_event_of_a_response_is_not_changed(block):
    assert completer().complete_events(block) == block


def test_usage_gets_the_details_that_are_required():
    body = json.loads(completer().complete_body(b'{"id":"resp_x","usage":{"input_tokens":3,"output_tokens":2}}'))
    assert body["usage"] == {
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
        "input_tokens": 3,
        "output_tokens": 2,
    }


@pytest.mark.parametrize("body", [b"", b"Bad Gateway", b"[]", b"null"])
def test_a_body_that_is_no_object_is_not_changed(body):
    assert completer().complete_body(body) == body


def test_a_complete_body_is_not_changed():
    once = completer().complete_body(b'{"id":"resp_x"}')
    spaced = once.replace(b",", b" ,\n")
    assert completer().complete_body(spaced) == spaced


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_events_are_completed_whatever_ends_their_lines(line_end):
    events = completed({"type": "response.created"}, {"type": "response.completed"}, line_end=line_end)
    assert [event["sequence_number"] for event in events] == [0, 1]
