"""The events and objects of /v1/messages."""

from __future__ import annotations

import json

import pytest

from flask_shim.errors import ShimError
from flask_shim.translate.answer.answer_reader import Piece, RetractedText
from flask_shim.translate.answer.encoder import FullAnswer
from flask_shim.translate.answer.tool_calls import FinishedCall
from flask_shim.translate.answer.usage import Totals
from flask_shim.translate.anthropic.messages_encoder import MessagesEncoder

CALL = FinishedCall("c1", "get_weather", {"city": "Paris"})
THINKING = {"type": "thinking", "thinking": "Hm.", "signature": ""}

TOTALS = Totals(prompt_tokens=11, completion_tokens=4, finish_reason="stop")
NOW = 101_000_000_005


def encoder():
    return MessagesEncoder("tiny", message_id="msg_7", estimated_input_tokens=9)


def events(stream):
    """Return the data of the events, after a check of their names."""
    found = []
    for block in stream.decode().split("\n\n")[:-1]:
        name, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def streamed(*pieces, totals=TOTALS):
    made = encoder()
    return events(made.start() + made.pieces(pieces, NOW) + made.finish(totals, NOW))


def whole(*pieces, totals=TOTALS):
    answer = FullAnswer()
    answer.add(pieces)
    return encoder().full(answer, totals, NOW)


def test_thinking_text_and_calls_have_their_own_blocks():
    pieces = (Piece(thinking="Let me "), Piece(thinking="think."), Piece("Calling. "), Piece(calls=(CALL,)))
    assert streamed(*pieces) == [
        {
            "type": "message_start",
            "message": {
                "id": "msg_7",
                "type": "message",
                "role": "assistant",
                "model": "tiny",
                "content": [],
                "usage": {"input_tokens": 9, "output_tokens": 0},
            },
        },
        {"type": "content_block_start", "index": 0, "content_block": THINKING | {"thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Let me "}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "think."}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": ""}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Calling. "}},
        {"type": "content_block_stop", "index": 1},
        {
            "type": "content_block_start",
            "index": 2,
            "content_block": {"type": "tool_use", "id": "c1", "name": "get_weather", "input": {}},
        },
        {
            "type": "content_block_delta",
            "index": 2,
            "delta": {"type": "input_json_delta", "partial_json": '{"city":"Paris"}'},
        },
        {"type": "content_block_stop", "index": 2},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use"},
            "usage": {"input_tokens": 11, "output_tokens": 4},
        },
        {"type": "message_stop"},
    ]


def test_each_call_is_a_block():
    received = streamed(Piece(calls=(CALL, FinishedCall("c2", "f", {}))))
    assert [event["index"] for event in received if event["type"] == "content_block_start"] == [0, 1]


@pytest.mark.parametrize("pieces", [(), (RetractedText(mode="separate"),), (Piece(logprobs=[{}]),)])
def test_an_empty_answer_has_no_block(pieces):
    assert [event["type"] for event in streamed(*pieces)] == ["message_start", "message_delta", "message_stop"]
    assert whole(*pieces)["content"] == []


def test_a_whole_answer_is_as_ollamas():
    assert whole(Piece(thinking="Hm."), Piece("Hel"), Piece("lo"), Piece(calls=(CALL,))) == {
        "id": "msg_7",
        "type": "message",
        "role": "assistant",
        "model": "tiny",
        "content": [
            THINKING,
            {"type": "text", "text": "Hello"},
            {"type": "tool_use", "id": "c1", "name": "get_weather", "input": {"city": "Paris"}},
        ],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 11, "output_tokens": 4},
    }


@pytest.mark.parametrize(
    ("finish_reason", "stop_reason"),
    [
        ("stop", "end_turn"),
        (None, "end_turn"),
        ("tool_calls", "end_turn"),
        ("length", "max_tokens"),
        ("eos", "stop_sequence"),
    ],
)
def test_the_reason_to_stop_is_one_of_anthropics(finish_reason, stop_reason):
    totals = Totals(finish_reason=finish_reason)
    assert whole(Piece("Hello"), totals=totals)["stop_reason"] == stop_reason
    assert streamed(Piece("Hello"), totals=totals)[-2]["delta"] == {"stop_reason": stop_reason}


@pytest.mark.parametrize(("status", "kind"), [(502, "api_error"), (400, "invalid_request_error")])
def test_a_failed_stream_ends_with_one_error_event(status, kind):
    (event,) = events(encoder().error(ShimError("it broke", status=status)))
    assert event == {"type": "error", "error": {"type": kind, "message": "it broke"}, "request_id": "req_7"}


def test_input_tokens_exclude_those_of_the_prompt_cache():
    usage = whole(Piece("Hello"), totals=Totals(prompt_tokens=11, completion_tokens=4, cached_tokens=8))["usage"]
    assert usage == {"input_tokens": 3, "output_tokens": 4, "cache_read_input_tokens": 8}
