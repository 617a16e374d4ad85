"""Ollama's records: their keys, their order, their bytes."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_shim.errors import ShimError
from flask_shim.translate.answer.answer_reader import Piece, RetractedText
from flask_shim.translate.answer.encoder import FullAnswer
from flask_shim.translate.answer.tool_calls import FinishedCall
from flask_shim.translate.answer.usage import Totals
from flask_shim.translate.ollama.records import ChatEncoder, GenerateEncoder, to_tool_calls, to_utc

NOW = 1795168242017032405
CREATED_AT = "2026-11-20T09:50:42.017032405Z"
TOTALS = Totals(
    finish_reason="stop",
    total_ns=616323652,
    load_ns=262813211,
    prompt_tokens=11,
    prompt_ns=12500000,
    completion_tokens=4,
    completion_ns=40250000,
)
METRICS = (
    ',"total_duration":616323652,"load_duration":262813211,"prompt_eval_count":11,"prompt_eval_duration":12500000,'
    '"eval_count":4,"eval_duration":40250000'
)
CALLS = (FinishedCall("call_rzpvl1kx", "get_weather", {"city": "Paris", "a": 1}), FinishedCall("call_2", "add", {}))
CALLS_TEXT = (
    '[{"id":"call_rzpvl1kx","function":{"index":0,"name":"get_weather","arguments":{"city":"Paris","a":1}}},'
    '{"id":"call_2","function":{"index":1,"name":"add","arguments":{}}}]'
)
LOGPROBS = [{"token": "H", "logprob": -0.25, "bytes": [72]}]
LOGPROBS_TEXT = '[{"token":"H","logprob":-0.25,"bytes":[72]}]'
START = f'"created_at":"{CREATED_AT}",'
CHAT_START = f'{{"model":"m",{START}"message":{{"role":"assistant",'
GENERATE_START = f'{{"model":"m",{START}'

CHAT_LINES = [
    (Piece("Hello"), '"content":"Hello"},"done":false}'),
    (Piece(thinking="Hm"), '"content":"","thinking":"Hm"},"done":false}'),
    (Piece(calls=CALLS), f'"content":"","tool_calls":{CALLS_TEXT}}},"done":false}}'),
    (Piece("H", logprobs=LOGPROBS), f'"content":"H"}},"done":false,"logprobs":{LOGPROBS_TEXT}}}'),
]
GENERATE_LINES = [
    (Piece("Hello"), '"response":"Hello","done":false}'),
    (Piece(thinking="Hm"), '"response":"","thinking":"Hm","done":false}'),
    (Piece(calls=CALLS), f'"response":"","done":false,"tool_calls":{CALLS_TEXT}}}'),
    (Piece("H", logprobs=LOGPROBS), f'"response":"H","done":false,"logprobs":{LOGPROBS_TEXT}}}'),
]


@pytest.mark.parametrize(
    ("records", "start", "piece", "rest"),
    [
        *((ChatEncoder, CHAT_START, *line) for line in CHAT_LINES),
        *((GenerateEncoder, GENERATE_START, *line) for line in GENERATE_LINES),
    ],
)
def test_a_line_has_ollamas_keys_in_ollamas_order(records, start, piece, rest):
    assert records("m").pieces([piece], NOW).decode() == f"{start}{rest}\n"


def test_the_last_line_of_a_chat():
    line = ChatEncoder("m").finish(TOTALS, NOW).decode()
    assert line == f'{CHAT_START}"content":""}},"done":true,"done_reason":"stop"{METRICS}}}\n'


@pytest.mark.parametrize("cached", [0, 9])
def test_cached_tokens_stand_behind_the_tokens_of_the_prompt(cached):
    metrics = list(ChatEncoder("m").full(FullAnswer(), replace(TOTALS, cached_tokens=cached), NOW).items())
    at = metrics.index(("prompt_eval_count", 11))
    assert metrics[at + 1] == ("prompt_eval_cached_count", cached)


@pytest.mark.parametrize(("context", "text"), [((), ""), ((100, 101), '"context":[100,101],')])
def test_the_last_line_of_a_generation(context, text):
    encoder = GenerateEncoder("m", lambda said: context if said == "Hello" else None)
    encoder.pieces([Piece("Hel"), Piece(thinking="Hm"), Piece("lo")], NOW)
    line = encoder.finish(TOTALS, NOW).decode()
    assert line == f'{GENERATE_START}"response":"","done":true,"done_reason":"stop",{text}{METRICS[1:]}}}\n'


@pytest.fixture
def answer():
    answer = FullAnswer()
    answer.add(
        [Piece(thinking="Hm"), Piece("Hel", logprobs=LOGPROBS), Piece("lo", logprobs=LOGPROBS), Piece(calls=CALLS)]
    )
    return answer


def test_a_whole_chat(answer):
    text = json.dumps(ChatEncoder("m").full(answer, TOTALS, NOW), separators=(",", ":"))
    twice = f"[{LOGPROBS_TEXT[1:-1]},{LOGPROBS_TEXT[1:-1]}]"
    assert text == (
        f'{CHAT_START}"content":"Hello","thinking":"Hm","tool_calls":{CALLS_TEXT}}},"done":true,"done_reason":"stop",'
        f'"logprobs":{twice}{METRICS}}}'
    )


def test_a_whole_generation(answer):
    text = json.dumps(GenerateEncoder("m").full(answer, TOTALS, NOW), separators=(",", ":"))
    twice = f"[{LOGPROBS_TEXT[1:-1]},{LOGPROBS_TEXT[1:-1]}]"
    assert text == (
        f'{GENERATE_START}"response":"Hello","thinking":"Hm","done":true,"done_reason":"stop"{METRICS},'
        f'"tool_calls":{CALLS_TEXT},"logprobs":{twice}}}'
    )


@pytest.mark.parametrize("reason", ["load", "unload"])
def test_loads_and_unloads_have_no_durations(reason):
    assert list(ChatEncoder("m").empty(reason, NOW)) == ["model", "created_at", "message", "done", "done_reason"]
    assert list(GenerateEncoder("m").empty(reason, NOW)) == ["model", "created_at", "response", "done", "done_reason"]
    assert ChatEncoder("m").empty(reason, NOW)["message"] == {"role": "assistant", "content": ""}


TEXT = st.text(st.characters(exclude_categories=("Cs",)))


@given(TEXT, TEXT, st.booleans())
def test_the_short_way_gives_the_same_json_as_the_long_one(model, text, is_chat):
    records = ChatEncoder(model) if is_chat else GenerateEncoder(model)
    record = json.loads(records.pieces([Piece(text)], NOW))
    body = {"message": {"role": "assistant", "content": text}} if is_chat else {"response": text}
    assert record == {"model": model, "created_at": CREATED_AT, **body, "done": False}
    assert list(record) == ["model", "created_at", *body, "done"]
    assert records.pieces([Piece(text)], NOW).count(b"\n") == 1


PIECES = st.builds(Piece, text=TEXT) | st.builds(Piece, thinking=TEXT) | st.just(Piece(calls=CALLS))


@given(st.lists(PIECES, max_size=5))
def test_content_is_a_string_in_every_record_and_error_in_none(pieces):
    answer = FullAnswer()
    answer.add(pieces)
    chat, generate = ChatEncoder("m"), GenerateEncoder("m")
    chats = [json.loads(chat.pieces([piece], NOW)) for piece in pieces] + [chat.full(answer, TOTALS, NOW)]
    generations = [json.loads(generate.pieces([piece], NOW)) for piece in pieces] + [generate.full(answer, TOTALS, NOW)]
    assert all(isinstance(record["message"]["content"], str) for record in chats)
    assert all(isinstance(record["response"], str) for record in generations)
    assert not any(key in record for record in (*chats, *generations) for key in ("error", "type"))


def test_calls_are_numbered_through_all_lines():
    records = ChatEncoder("m")
    lines = [json.loads(records.pieces([Piece(calls=(call,))], NOW)) for call in CALLS]
    assert [line["message"]["tool_calls"][0]["function"]["index"] for line in lines] == [0, 1]


def test_arguments_stay_an_object_in_their_order():
    (call,) = to_tool_calls([FinishedCall("1", "f", {"z": 1, "a": {"y": 2, "b": None}})])
    assert json.dumps(call["function"]["arguments"]) == '{"z": 1, "a": {"y": 2, "b": null}}'


@pytest.mark.parametrize(
    ("mode", "thinking", "text"),
    [
        ("separate", "Hm. So.", "Hello"),
        ("hide", "Hm.", "Hello"),
        ("merge", "Hm.", "**Reasoning:**\n So.\n\n**Answer:**\nHello"),
    ],
)
def test_text_that_proves_to_be_thinking_is_treated_as_thinking(mode, thinking, text):
    answer = FullAnswer()
    answer.add([Piece(thinking="Hm."), Piece(" So.\n"), RetractedText(mode=mode), Piece("Hello")])
    assert (answer.thinking, answer.text) == (thinking, text)


@pytest.mark.parametrize(
    ("finish", "reason"),
    [("stop", "stop"), ("length", "length"), ("tool_calls", "stop"), (None, "stop"), ("content_filter", "stop")],
)
@pytest.mark.parametrize("encoder", [ChatEncoder, GenerateEncoder])
def test_done_reasons_are_ollamas(encoder, finish, reason):
    assert encoder("m").full(FullAnswer(), Totals(finish_reason=finish), NOW)["done_reason"] == reason


def test_counts_of_zero_are_left_out():
    record = ChatEncoder("m").full(FullAnswer(), Totals(completion_tokens=9), NOW)
    assert [key for key in record if key.endswith("count")] == ["eval_count"]


def test_a_failed_stream_ends_with_one_error_line():
    assert ChatEncoder("m").error(ShimError("it broke")) == b'{"error":"it broke"}\n'


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0, "2026-11-20T09:50:10.0Z"),
        (159857960, "2026-11-20T09:50:10.15985796Z"),
        (1, "2026-11-20T09:50:10.000000001Z"),
        (500_000_000, "2026-11-20T09:50:10.5Z"),
        (999_999_999, "2026-11-20T09:50:10.999999999Z"),
    ],
)
def test_utc_has_up_to_nine_digits_and_a_z(fraction, text):
    assert to_utc(1_795_168_210 * 10**9 + fraction) == text


@given(st.integers(0, 2**62))
def test_utc_is_the_same_moment(nanoseconds):
    text = to_utc(nanoseconds)
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    assert seconds == time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nanoseconds // 10**9))
    assert int(fraction.ljust(9, "0")) == nanoseconds % 10**9
