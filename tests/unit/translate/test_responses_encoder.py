"""The events and objects of /v1/responses."""

from __future__ import annotations

import json

import pytest

from flask_shim.errors import ShimError
from flask_shim.translate.answer.answer_reader import Piece, RetractedText
from flask_shim.translate.answer.encoder import FullAnswer
from flask_shim.translate.answer.tool_calls import FinishedCall
from flask_shim.translate.answer.usage import Totals
from flask_shim.translate.openai.responses_encoder import ResponsesEncoder
from flask_shim.translate.openai.responses_request import ResponsesRequest

CALL = FinishedCall("c1", "get_weather", {"city": "Paris", "n": 1})
ARGUMENTS = '{"city":"Paris","n":1}'
TOOL = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}}
REASONED = {
    "id": "rs_resp_7",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "Let me think."}],
    "encrypted_content": "Let me think.",
}
SAID = {
    "id": "msg_7",
    "type": "message",
    "status": "completed",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}],
}
CALLED = {
    "id": "fc_resp_7_0",
    "type": "function_call",
    "status": "completed",
    "call_id": "c1",
    "name": "get_weather",
    "arguments": ARGUMENTS,
}


TOTALS = Totals(prompt_tokens=11, completion_tokens=4, finish_reason="stop")
NOW = 101_000_000_005


def encoder_for(**request):
    return ResponsesEncoder(ResponsesRequest(model="tiny", **request), number=7, created_at=100)


def events(stream):
    """Return the data of the events, after a check of their names."""
    found = []
    for block in stream.decode().split("\n\n")[:-1]:
        name, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def streamed(*pieces, totals=TOTALS, **request):
    encoder = encoder_for(**request)
    return events(encoder.start() + encoder.pieces(pieces, NOW) + encoder.finish(totals, NOW))


def whole(*pieces, totals=TOTALS, **request):
    answer = FullAnswer()
    answer.add(pieces)
    return encoder_for(**request).full(answer, totals, NOW)


def kinds(events):
    return [event["type"].removeprefix("response.") for event in events]


def test_thinking_and_text_have_openais_order():
    received = streamed(Piece(thinking="Let me "), Piece(thinking="think."), Piece("Hel"), Piece("lo"))
    assert kinds(received) == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event["sequence_number"] for event in received] == list(range(17))
    assert [event["output_index"] for event in received[2:-1]] == [0] * 7 + [1] * 7
    assert [received[at]["part"] for at in (3, 7)] == [{"type": "summary_text", "text": ""}, *REASONED["summary"]]
    assert received[8]["item"] == REASONED
    assert received[15]["item"] == SAID
    assert received[-1]["response"]["output"] == [REASONED, SAID]


def test_a_heartbeat_says_nothing_of_unfinished_items():
    encoder = encoder_for()
    encoder.pieces((Piece(thinking="Let me "),), NOW)
    (beat,) = events(encoder.heartbeat(NOW))
    assert (beat["type"], beat["response"]["output"]) == ("response.in_progress", [])


def test_a_call_is_sent_whole():
    received = streamed(Piece(calls=(CALL,)))[2:-1]
    assert kinds(received) == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]
    assert received[0]["item"] == {**CALLED, "status": "in_progress", "arguments": ""}
    assert (received[1]["delta"], received[2]["arguments"]) == (ARGUMENTS, ARGUMENTS)
    assert received[3]["item"] == CALLED


def test_text_before_calls_is_kept_and_the_calls_numbered():
    received = streamed(Piece("Hello"), Piece(calls=(CALL, FinishedCall("c2", "f", {}))))
    output = received[-1]["response"]["output"]
    assert [item["id"] for item in output] == ["msg_7", "fc_resp_7_0", "fc_resp_7_1"]
    assert [event["output_index"] for event in received if event["type"] == "response.output_item.done"] == [0, 1, 2]


def test_items_of_the_same_kind_have_ids_of_their_own():
    received = streamed(Piece("a"), Piece(thinking="b"), Piece("c"))
    assert [item["id"] for item in received[-1]["response"]["output"]] == ["msg_7", "rs_resp_7", "msg_7_2"]


@pytest.mark.parametrize(
    "pieces", [(), (Piece(thinking="Hm."),), (RetractedText(mode="separate"),), (Piece(logprobs=[{}]),)]
)
def test_an_empty_answer_ends_with_an_empty_message(pieces):
    assert streamed(*pieces)[-1]["response"]["output"][-1]["content"][0]["text"] == ""
    assert whole(*pieces)["output"][-1]["content"][0]["text"] == ""


def test_text_that_proves_to_be_thinking_stays_text_in_a_stream():
    received = streamed(Piece("Hm."), RetractedText(mode="separate"), Piece("Yes."))
    assert received[-1]["response"]["output"][0]["content"][0]["text"] == "Hm.Yes."


def test_the_first_events_show_a_response_without_output():
    first, second = (event["response"] for event in streamed(Piece("Hello"))[:2])
    assert first == second
    assert (first["id"], first["status"], first["output"], first["usage"]) == ("resp_7", "in_progress", [], None)
    assert (first["created_at"], first["completed_at"]) == (100, None)


def test_the_last_event_shows_what_a_whole_answer_is():
    pieces = (Piece(thinking="Let me think."), Piece("Hello"), Piece(calls=(CALL,)))
    assert streamed(*pieces)[-1]["response"] == whole(*pieces)


def test_a_whole_answer_has_ollamas_keys_in_ollamas_order():
    assert whole(Piece("Hello")) == {
        "id": "resp_7",
        "object": "response",
        "created_at": 100,
        "completed_at": 101,
        "status": "completed",
        "incomplete_details": None,
        "model": "tiny",
        "previous_response_id": None,
        "instructions": None,
        "output": [SAID],
        "error": None,
        "tools": [],
        "tool_choice": "auto",
        "truncation": "disabled",
        "parallel_tool_calls": True,
        "text": {"format": {"type": "text"}},
        "top_p": 1,
        "presence_penalty": 0,
        "frequency_penalty": 0,
        "top_logprobs": 0,
        "temperature": 1,
        "reasoning": None,
        "usage": {
            "input_tokens": 11,
            "output_tokens": 4,
            "total_tokens": 15,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
        "max_output_tokens": None,
        "max_tool_calls": None,
        "store": False,
        "background": False,
        "service_tier": "default",
        "metadata": {},
        "safety_identifier": None,
        "prompt_cache_key": None,
    }
    assert list(whole())[:9] == [
        "id",
        "object",
        "created_at",
        "completed_at",
        "status",
        "incomplete_details",
        "model",
        "previous_response_id",
        "instructions",
    ]


def test_the_answer_repeats_the_requested_values():
    asked = {
        "instructions": "Be brief.",
        "temperature": 0.5,
        "top_p": 0.9,
        "max_output_tokens": 7,
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "truncation": "auto",
        "background": True,
        "metadata": {"a": "b"},
        "reasoning": {"effort": "low"},
        "text": {"format": {"type": "json_object"}},
    }
    body = whole(tools=(TOOL, {"type": "web_search"}), **asked)
    assert {name: body[name] for name in asked} == asked
    assert body["tools"] == [{**TOOL, "description": None, "strict": None}]


def test_an_answer_cut_by_its_length_is_completed_as_with_ollama():
    assert streamed(Piece("Hel"), totals=Totals(finish_reason="length"))[-1]["response"]["status"] == "completed"


@pytest.mark.parametrize(
    ("status", "code", "kind"), [(502, "server_error", "api_error"), (400, "invalid_prompt", "invalid_request_error")]
)
def test_a_failed_stream_ends_with_one_event_for_all_clients(status, code, kind):
    encoder = encoder_for()
    encoder.start()
    encoder.pieces([Piece("Hel")], NOW)
    (event,) = events(encoder.error(ShimError("it broke", status=status)))
    assert (event["type"], event["sequence_number"]) == ("response.failed", 5)
    assert event["response"]["status"] == "failed"
    assert event["response"]["error"] == {"code": code, "message": "it broke"}
    assert event["error"] == {"code": code, "message": "it broke", "type": kind, "param": None}


def test_usage_details_are_those_of_the_backend():
    usage = whole(Piece("Hello"), totals=Totals(prompt_tokens=9, cached_tokens=8, reasoning_tokens=2))["usage"]
    assert usage["input_tokens_details"] == {"cached_tokens": 8}
    assert usage["output_tokens_details"] == {"reasoning_tokens": 2}


PATCH = FinishedCall("c1", "apply_patch", {"input": "*** Begin Patch"})
OFFERED = (
    {"type": "custom", "name": "apply_patch"},
    {"type": "namespace", "name": "mcp__files", "tools": [{"type": "function", "name": "read"}]},
)


def test_a_call_of_a_custom_tool_has_its_text_as_input():
    received = streamed(Piece(calls=(PATCH,)), tools=OFFERED)[2:-1]
    assert kinds(received) == [
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
    ]
    assert received[0]["item"]["input"] == ""
    assert received[1]["delta"] == received[2]["input"] == "*** Begin Patch"
    assert received[3]["item"] == {
        "id": "ctc_resp_7_0",
        "type": "custom_tool_call",
        "status": "completed",
        "call_id": "c1",
        "name": "apply_patch",
        "input": "*** Begin Patch",
    }


def test_arguments_that_are_not_one_text_are_passed_as_json():
    (item,) = whole(Piece(calls=(FinishedCall("c1", "apply_patch", {"a": 1, "b": "c"}),)), tools=OFFERED)["output"]
    assert item["input"] == '{"a":1,"b":"c"}'


def test_a_call_in_a_namespace_has_the_clients_name_for_it():
    (item,) = whole(Piece(calls=(FinishedCall("c1", "mcp__files__read", {}),)), tools=OFFERED)["output"]
    assert (item["type"], item["name"], item["namespace"]) == ("function_call", "read", "mcp__files")


@pytest.mark.parametrize(
    ("arguments", "action"),
    [
        ({"command": ["ls", "-l"]}, {"command": ["ls", "-l"]}),
        ({"command": ["sleep", 1]}, {"command": ["sleep", "1"]}),
        ({"command": "ls | wc"}, {"command": ["bash", "-lc", "ls | wc"]}),
        (
            {"command": ["ls"], "working_directory": "/x", "timeout_ms": 9, "user": "root"},
            {"command": ["ls"], "working_directory": "/x", "timeout_ms": 9},
        ),
    ],
)
def test_a_call_of_the_local_shell_is_an_action(arguments, action):
    received = streamed(Piece(calls=(FinishedCall("c1", "local_shell", arguments),)), tools=({"type": "local_shell"},))[
        2:-1
    ]
    assert kinds(received) == ["output_item.added", "output_item.done"]
    assert received[1]["item"] == {
        "id": "lsh_resp_7_0",
        "type": "local_shell_call",
        "status": "completed",
        "call_id": "c1",
        "action": {"type": "exec", "env": {}, **action},
    }
