"""Events become pieces of an answer: text, thinking wherever it came, calls, and what is counted."""

from __future__ import annotations

import json
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chunks import PLACES, cut

from flask_shim.lmstudio.completion_events import Usage, decode_event
from flask_shim.lmstudio.errors import BackendProtocolError
from flask_shim.translate.answer.answer_reader import AnswerReader, ReaderOptions
from flask_shim.translate.answer.encoder import FullAnswer


def delta(text=None, finish=None, **more):
    return {"choices": [{"delta": {"content": text, **more}, "finish_reason": finish}]}


def thought(text, name="reasoning_content"):
    return {"choices": [{"delta": {name: text}}]}


def called(name, arguments, index=0, call_id="1"):
    function = {"name": name, "arguments": arguments}
    return {"choices": [{"delta": {"tool_calls": [{"index": index, "id": call_id, "function": function}]}}]}


def with_logprob(text, number):
    entry = {"token": text, "logprob": number, "bytes": list(text.encode())}
    return {"choices": [{"delta": {"content": text}, "logprobs": {"content": [entry]}}]}


STOP = delta(finish="stop")


def read(*events, together=False, **reading):
    """Return the answer that the events add up to, its reader, and the pieces."""
    numbers = count(1)
    reader = AnswerReader(ReaderOptions(**{"new_id": lambda: f"call_{next(numbers)}", **reading}))
    decoded = [decode_event(json.dumps(event).encode()) for event in events]
    blocks = [decoded] if together else [[event] for event in decoded]
    pieces = [piece for block in blocks for piece in reader.feed(block)] + reader.finish()
    answer = FullAnswer()
    answer.add(pieces)
    return answer, reader, pieces


def texts(*events, **reading):
    """Return thinking and text."""
    answer, _, _ = read(*events, **reading)
    return answer.thinking, answer.text


@pytest.mark.parametrize("together", [True, False])
def test_text_is_passed_on_at_once(together):
    answer, _, pieces = read(delta("Hel"), delta("lo"), STOP, together=together)
    assert [piece.text for piece in pieces] == ["Hel", "lo"]
    assert (answer.text, answer.thinking, answer.calls) == ("Hello", "", [])


def test_an_answer_without_a_word_has_no_pieces():
    assert read(STOP)[2] == []


@pytest.mark.parametrize(
    "events",
    [
        [thought("Hm."), thought(" Well."), delta("\n\n"), delta("Hello")],
        [thought("Hm.", "reasoning"), thought(" Well.", "reasoning"), delta("Hello")],
        [thought("Hm. Well."), delta("</think>\n\nHello")],
        [{"choices": [{"delta": {"reasoning_content": "Hm. Well.", "content": "Hello"}}]}],
        [delta("<think>Hm. Well.</think>Hello")],
        [delta("<think>"), delta("\nHm."), delta(" Well.\n"), delta("</think>"), delta("\n\nHello")],
        [delta("[THINK]Hm. Well.[/THINK]Hello")],
        [delta("Hm."), delta(" Well."), delta("\n</think>"), delta("\n\nHello")],
        [{"choices": [{"message": {"content": "Hello", "reasoning_content": "Hm. Well."}}]}],
        [{"choices": [{"message": {"content": "<think>Hm. Well.</think>\nHello"}}]}],
        [{"choices": [{"text": "<think>Hm. Well.</think>\nHello"}]}],
        [{"choices": [{"text": "Hello", "reasoning": "Hm. Well."}]}],
    ],
)
def test_thinking_is_separated_in_every_form(events):
    assert texts(*events, STOP) == ("Hm. Well.", "Hello")
    assert texts(*events, STOP, mode="hide") == ("", "Hello")
    assert texts(*events, STOP, mode="merge") == ("", "**Reasoning:**\nHm. Well.\n\n**Answer:**\nHello")


@pytest.mark.parametrize(
    ("mode", "pieces"),
    [
        ("separate", [("", "Hm."), ("", " Well."), ("Hel", ""), ("lo", "")]),
        ("hide", [("Hel", ""), ("lo", "")]),
        ("merge", [("**Reasoning:**\nHm.", ""), (" Well.", ""), ("\n\n**Answer:**\n", ""), ("Hel", ""), ("lo", "")]),
    ],
)
def test_thinking_is_placed_as_configured(mode, pieces):
    _, _, found = read(thought("Hm."), thought(" Well."), delta("Hel"), delta("lo"), STOP, mode=mode)
    assert [(piece.text, piece.thinking) for piece in found] == pieces


@pytest.mark.parametrize("mode", ["separate", "hide", "merge"])
def test_without_thinking_the_mode_changes_nothing(mode):
    assert texts(delta("Hello"), STOP, mode=mode) == ("", "Hello")


def test_only_thinking_leaves_the_text_empty():
    assert texts(thought("Hm."), delta(finish="length")) == ("Hm.", "")
    assert texts(thought("Hm."), delta(finish="length"), mode="merge") == ("", "**Reasoning:**\nHm.")


def test_a_model_that_cannot_think_may_write_a_closing_tag():
    assert texts(delta("End with </think>."), STOP, can_think=False) == ("", "End with </think>.")


@pytest.mark.parametrize("text", ["<think>a</think>b", "text</think>b", "\n<tool_call>"])
def test_a_raw_answer_is_text_as_it_stands(text):
    assert texts(*map(delta, text), STOP, is_raw=True) == ("", text)


@given(st.text(st.characters(exclude_categories=("Cs",))), PLACES)
def test_text_is_the_same_however_the_tokens_fall(text, places):
    assert texts(*map(delta, cut(text, places)), STOP, offered={"f": {}}) == texts(delta(text), STOP, offered={"f": {}})


# --- tools ---


def test_calls_follow_the_text_in_one_piece():
    answer, _, pieces = read(
        delta("I look."), called("f", '{"a":'), called("", "1}", call_id=""), called("g", "{}", 1, "2"), STOP
    )
    assert [(call.id, call.name, call.arguments) for call in pieces[-1].calls] == [("1", "f", {"a": 1}), ("2", "g", {})]
    assert answer.text == "I look."


def test_calls_written_as_text_are_calls_when_their_tool_was_offered():
    text = '<tool_call>{"name":"f","arguments":{"a":1}}</tool_call>'
    answer, _, _ = read(delta("I look. "), *map(delta, text), STOP, offered={"f": {}})
    assert [(call.name, call.arguments) for call in answer.calls] == [("f", {"a": 1})]
    assert answer.text == "I look. "
    assert read(delta(text), STOP, offered={"g": {}})[0].text == text
    assert read(delta(text), STOP)[0].text == text


def test_calls_behind_thinking_are_found():
    text = '<think>Hm.</think>\n[TOOL_REQUEST]{"name":"f","arguments":{}}[END_TOOL_REQUEST]'
    answer, _, _ = read(delta(text), STOP, offered={"f": {}})
    assert (answer.thinking, answer.text, [call.name for call in answer.calls]) == ("Hm.", "", ["f"])


CALL = "<tool_call>\n<function=add>\n<parameter=a>\n1\n</parameter>\n</function>\n</tool_call>"
ADD = {"add": {"properties": {"a": {"type": "integer"}}}}


def outcome(*events, **reading):
    """Return thinking, text, and the calls as pairs."""
    answer, _, _ = read(*events, offered=ADD, **reading)
    return answer.thinking, answer.text, [(call.name, call.arguments) for call in answer.calls]


@pytest.mark.parametrize("after", ["", "\n", CALL.join("\n\n")])
@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "content"])
@given(places=PLACES)
def test_calls_at_the_end_of_the_thinking_are_calls(field, after, places):
    opening, closing = ("<think>", "</think>") if field == "content" else ("", "")
    pieces = cut(f"{opening}I add.\n{CALL}{after}{closing}", places)
    events = [{"choices": [{"delta": {field: piece}}]} for piece in pieces]
    calls = [("add", {"a": 1})] * (1 + after.count("<tool_call>"))
    thinking, text, found = outcome(*events, STOP)
    assert (thinking.rstrip(), text, found) == ("I add.", "", calls)


@pytest.mark.parametrize("mode", ["separate", "merge", "hide"])
def test_calls_in_the_thinking_count_in_every_mode(mode):
    assert outcome(thought(CALL), STOP, mode=mode) == ("", "", [("add", {"a": 1})])


@pytest.mark.parametrize(
    ("events", "thinking", "text", "calls"),
    [
        ([thought(f"Shall I write {CALL}\n or not?")], f"Shall I write {CALL}\n or not?", "", []),
        ([thought(CALL), thought("\n"), thought(" No.")], f"{CALL}\n No.", "", []),
        ([thought("I know <tool_call> and </tool_call>.")], "I know <tool_call> and </tool_call>.", "", []),
        ([thought(CALL), delta("\n\nDone.")], CALL, "Done.", []),
        ([thought(f"{CALL}\n"), called("add", '{"a":2}')], f"{CALL}\n", "", [("add", {"a": 2})]),
        ([thought(CALL), delta(CALL.replace("1", "2"))], CALL, "", [("add", {"a": 2})]),
        ([thought(CALL.replace("add", "other"))], CALL.replace("add", "other"), "", []),
        ([thought(CALL[:-40])], CALL[:-40], "", []),
        ([delta(f"<think>{CALL}</think>Done.")], CALL, "Done.", []),
    ],
)
def test_calls_that_are_only_thought_about_stay_thinking(events, thinking, text, calls):
    assert outcome(*events, STOP) == (thinking, text, calls)


def test_thinking_with_calls_is_text_where_no_tools_were_offered():
    assert texts(thought(CALL), STOP) == (CALL, "")


def test_white_space_behind_a_call_is_dropped():
    assert outcome(delta(f"I add.{CALL}"), delta("\n"), delta(f"\n{CALL}\n\n Done. ")) == (
        "",
        "I add.Done. ",
        [("add", {"a": 1})] * 2,
    )


def test_calls_without_a_name_are_counted():
    answer, reader, _ = read(called("", "{}"), called("f", "{}", 1, "2"), called(None, "{}", 2, "3"))
    assert ([call.name for call in answer.calls], reader.nameless_calls) == (["f"], 2)


def test_an_unreadable_call_is_an_error_unless_the_answer_was_cut():
    with pytest.raises(BackendProtocolError, match="not a JSON object"):
        read(called("f", '{"a":'), STOP)
    assert read(called("f", '{"a":'), delta(finish="length"))[0].calls == []


# --- structured output ---


def test_json_that_landed_in_the_thinking_is_rescued():
    assert texts(thought('{"name":'), thought(' "Ada"}'), STOP, wants_json=True, mode="hide") == ("", '{"name": "Ada"}')


@pytest.mark.parametrize(
    ("events", "reading"),
    [
        ([thought("no JSON")], {"wants_json": True}),
        ([thought('{"name": "Ada"}')], {"wants_json": False}),
        ([], {"wants_json": True}),
    ],
)
def test_nothing_else_is_made_an_answer(events, reading):
    assert texts(*events, STOP, **reading)[1] == ""


def test_json_in_the_thinking_is_left_where_there_is_an_answer():
    assert texts(thought('{"a": 1}'), delta('{"b": 2}'), STOP, wants_json=True) == ('{"a": 1}', '{"b": 2}')
    answer, _, _ = read(thought('{"a": 1}'), called("f", "{}"), STOP, wants_json=True)
    assert answer.text == ""


# --- logprobs ---


def tokens(answer):
    return [(entry["token"], entry["logprob"]) for entry in answer.logprobs]


def test_logprobs_take_ollamas_shape():
    other = {"token": "Yo", "logprob": -1.5, "bytes": None}
    entry = {"token": "Hé", "logprob": -0.25, "bytes": [72, 195, 169], "top_logprobs": [other], "id": 5}
    answer, _, _ = read({"choices": [{"delta": {"content": "Hé"}, "logprobs": {"content": [entry]}}]}, STOP)
    assert answer.logprobs == [
        {
            "token": "Hé",
            "logprob": -0.25,
            "bytes": [72, 195, 169],
            "top_logprobs": [{"token": "Yo", "logprob": -1.5, "bytes": [89, 111]}],
        }
    ]


def test_an_empty_token_has_no_bytes_or_alternatives():
    entry = {"token": "", "logprob": 0.0, "bytes": [], "top_logprobs": []}
    answer, _, _ = read({"choices": [{"delta": {"content": "x"}, "logprobs": {"content": [entry]}}]}, STOP)
    assert answer.logprobs == [{"token": "", "logprob": 0.0}]


@pytest.mark.parametrize(
    "logprobs", [None, {}, [], {"content": None}, {"content": []}, {"content": [None]}, {"tokens": ["x"]}, 5]
)
def test_logprobs_of_other_shapes_are_none(logprobs):
    answer, _, pieces = read({"choices": [{"delta": {"content": "x"}, "logprobs": logprobs}]}, STOP)
    assert (answer.logprobs, pieces[0].text, bool(pieces[0].logprobs)) == ([], "x", False)


@pytest.mark.parametrize("text", ["a <b", "<think>x</think>y", "a <", "[x]", "<"])
def test_every_token_keeps_its_logprob_once_also_when_it_was_held_back(text):
    answer, _, _ = read(*(with_logprob(token, -number) for number, token in enumerate(text)), STOP)
    assert tokens(answer) == [(token, -number) for number, token in enumerate(text)]


def test_two_pieces_of_one_event_do_not_double_its_logprobs():
    answer, _, _ = read(with_logprob("<think>x</think>y", -1), STOP)
    assert tokens(answer) == [("<think>x</think>y", -1)]


# --- counting ---


def test_usage_and_timings_may_come_in_any_event():
    usage = {"choices": [], "usage": {"prompt_tokens": 24, "completion_tokens": 2}, "timings": {"prompt_ms": 1.5}}
    for events in ([usage, delta("a"), STOP], [delta("a"), STOP, usage]):
        reader = read(*events)[1]
        assert (reader.usage, reader.timings) == (Usage(24, 2), {"prompt_ms": 1.5})


def test_the_last_usage_counts():
    reader = read({"choices": [], "usage": {"prompt_tokens": 1}}, {"choices": [], "usage": {"prompt_tokens": 2}})[1]
    assert reader.usage == Usage(2, 0)


@pytest.mark.parametrize("finish", ["stop", "length", "tool_calls"])
def test_the_reason_is_kept(finish):
    assert read(delta("a"), delta(finish=finish), {"choices": []})[1].finish_reason == finish


def test_without_usage_the_deltas_are_counted():
    reader = read(thought("a"), delta("b"), delta("c"), delta(""), called("f", "{}"), {"choices": []}, STOP)[1]
    assert (reader.usage, reader.deltas) == (None, 4)
