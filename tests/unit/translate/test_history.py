"""Chat turns in the shape LM Studio insists on: known roles, texts, and ids that pair results with calls."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_shim.translate.chat_history import SHOWN_BELOW
from flask_shim.translate.ollama.messages import to_messages
from flask_shim.translate.ollama.requests import Message, ToolCall

PNG = b"\x89PNG\r\n\x1a\n"


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
    ("role", "sent"),
    [
        ("user", "user"),
        ("assistant", "assistant"),
        ("system", "system"),
        ("developer", "system"),
        ("tool", "tool"),
        ("control", "user"),
        ("", "user"),
        ("USER", "user"),
    ],
)
def test_every_role_is_one_lm_studio_takes(role, sent):
    assert to_messages([Message(role, "x")])[0]["role"] == sent


def test_turns_keep_their_order():
    turns = [Message("system", "s"), Message("user", "u"), Message("assistant", "a"), Message("user", "v")]
    assert [(turn["role"], turn["content"]) for turn in to_messages(turns)] == [
        ("system", "s"),
        ("user", "u"),
        ("assistant", "a"),
        ("user", "v"),
    ]


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


def test_a_call_has_its_arguments_as_text_and_its_turn_a_content():
    turn = Message("assistant", tool_calls=(ToolCall("f", {"z": "é", "a": {"b": [1, None]}}, "7"),))
    assert to_messages([turn]) == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "7", "type": "function", "function": {"name": "f", "arguments": '{"z":"é","a":{"b":[1,null]}}'}}
            ],
        }
    ]


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        ("<think>\nold\n</think>\n\nHello", "Hello"),
        ("  <think>old</think>Hello", "Hello"),
        ("Say <think>a</think>", "Say <think>a</think>"),
        ("<think>never closed", "<think>never closed"),
        ("<think>a</think>b<think>c</think>", "b<think>c</think>"),
    ],
)
def test_old_thinking_is_not_sent_back(content, sent):
    assert to_messages([Message("assistant", content)]) == [{"role": "assistant", "content": sent}]


def test_what_users_write_about_thinking_is_sent():
    assert to_messages([Message("user", "<think>a</think>b")])[0]["content"] == "<think>a</think>b"


def test_pictures_are_parts_behind_the_text():
    (turn,) = to_messages([Message("user", "What is this?", images=(PNG, PNG))])
    assert [part["type"] for part in turn["content"]] == ["text", "image_url", "image_url"]
    assert turn["content"][1]["image_url"]["url"] == "data:image/png;base64,iVBORw0KGgo="


def test_a_picture_alone_needs_no_text():
    (turn,) = to_messages([Message("user", images=(PNG,))])
    assert [part["type"] for part in turn["content"]] == ["image_url"]


def test_pictures_of_tools_are_shown_by_the_user_behind_all_results():
    shots = [Message("tool", images=(PNG,)), Message("tool", "a page", images=(PNG,))]
    turns = to_messages([asking("f", "g"), *shots, Message("assistant", "I see.")])
    assert [turn["role"] for turn in turns] == ["assistant", "tool", "tool", "user", "assistant"]
    assert [turn["content"] for turn in turns[1:3]] == [SHOWN_BELOW, "a page"]
    assert [part["type"] for part in turns[3]["content"]] == ["image_url", "image_url"]


@pytest.mark.parametrize("message", [Message("tool", "shot", images=(PNG,)), Message("assistant", "x", images=(PNG,))])
def test_pictures_go_with_what_the_user_says_next(message):
    first, second = to_messages([message, Message("user", "What is this?")])
    assert isinstance(first["content"], str)
    assert [part["type"] for part in second["content"]] == ["image_url", "text"]
    assert [turn["role"] for turn in to_messages([message])] == [message.role, "user"]


def test_thinking_goes_back_with_every_turn_that_had_it():
    call = Message("assistant", thinking="I need f.", tool_calls=(ToolCall("f", {}),))
    turns = to_messages([USER, call, result(), Message("assistant", "Done.", thinking="Well."), USER])
    assert [turn["reasoning_content"] for turn in turns if turn["role"] == "assistant"] == ["I need f.", "Well."]


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
