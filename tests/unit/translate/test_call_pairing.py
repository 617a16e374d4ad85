"""Calls and their results are paired by ids, whatever the client sent."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_shim.translate.ollama.payloads import to_messages
from flask_shim.translate.ollama.requests import Message, ToolCall


def asking(*names, ids=()):
    """Return a turn that calls these tools."""
    numbers = [*ids, *[""] * (len(names) - len(ids))]
    return Message(
        "assistant", tool_calls=tuple(ToolCall(name, {}, number) for name, number in zip(names, numbers, strict=True))
    )


def result(content="r", name="", number=""):
    return Message("tool", content, tool_name=name, tool_call_id=number)


USER = Message("user", "Never mind.")


@pytest.mark.parametrize(
    ("history", "pairs"),
    [
        ([asking("f"), result()], [("call_1", "call_1")]),
        ([asking("f", "g"), result("1"), result("2")], [("call_1", "call_1"), ("call_2", "call_2")]),
        ([asking("f", "g"), result("1", "g"), result("2", "f")], [("call_1", "call_2"), ("call_2", "call_1")]),
        ([asking("f", "f"), result("1", "f"), result("2", "f")], [("call_1", "call_1"), ("call_2", "call_2")]),
        ([asking("f", "g"), result("1", "other"), result("2")], [("call_1", "call_1"), ("call_2", "call_2")]),
        ([asking("f", "g", ids=("a", "b")), result("1"), result("2")], [("a", "a"), ("b", "b")]),
        ([asking("f", "g", ids=("a", "b")), result("1", number="b"), result("2")], [("a", "b"), ("b", "a")]),
        ([asking("f", ids=("a",)), result("1", number="elsewhere")], [("a", "elsewhere")]),
        ([asking("f"), result(number="elsewhere")], [("call_1", "call_1")]),
        ([asking("f", "g"), result(name="g", number="x"), result()], [("call_1", "call_2"), ("call_2", "call_1")]),
        ([asking("f"), result(), asking("g"), result()], [("call_1", "call_1"), ("call_2", "call_2")]),
        ([asking("f", "g", ids=("a",)), result("1"), result("2")], [("a", "a"), ("call_1", "call_1")]),
        ([asking("f"), USER, asking("f"), result()], [("call_1", "call_2"), ("call_2", None)]),
        ([asking("f"), USER, result()], [("call_1", "call_1")]),
        ([asking("f", ids=("a",)), USER, asking("g", ids=("b",)), result(number="a")], [("a", "a"), ("b", None)]),
    ],
)
def test_results_are_paired_with_calls(history, pairs):
    turns = to_messages(history)
    calls = [call["id"] for turn in turns for call in turn.get("tool_calls", ())]
    answers = [turn["tool_call_id"] for turn in turns if turn["role"] == "tool"]
    assert (calls, answers) == ([call for call, _ in pairs], [answer for _, answer in pairs if answer])


def test_a_result_without_a_call_gets_an_id_of_its_own():
    ids = [turn["tool_call_id"] for turn in to_messages([result(), result()])]
    assert len(set(ids)) == 2


def test_made_up_ids_do_not_meet_those_of_the_client():
    turns = to_messages([asking("f", "g", ids=("call_1",)), result("1"), result("2")])
    calls = [call["id"] for call in turns[0]["tool_calls"]]
    assert len(set(calls)) == 2
    assert [turn["tool_call_id"] for turn in turns[1:]] == calls


TURNS = st.lists(
    st.one_of(
        st.builds(lambda names: asking(*names), st.lists(st.sampled_from("fg"), max_size=3)),
        st.builds(
            result, st.text(max_size=3), st.sampled_from(["", "f", "g", "h"]), st.sampled_from(["", "a", "call_2"])
        ),
        st.builds(Message, st.sampled_from(["user", "assistant", "odd"]), st.text(max_size=3)),
    ),
    max_size=8,
)


@given(TURNS)
def test_every_history_has_text_contents_and_ids(history):
    turns = to_messages(history)
    assert len(turns) == len(history)
    assert all(isinstance(turn["content"], str) for turn in turns)
    assert all(turn["tool_call_id"] for turn in turns if turn["role"] == "tool")
    calls = [call["id"] for turn in turns for call in turn.get("tool_calls", ())]
    assert len(set(calls)) == len(calls)
    assert json.loads(json.dumps(turns)) == turns
