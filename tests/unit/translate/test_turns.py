"""Conversations put together from the pieces of other protocols."""

from __future__ import annotations

import pytest

from flask_shim.translate.ollama.messages import SHOWN_BELOW
from flask_shim.translate.openai.turns import Turns, image_part, text_part

PICTURE = image_part("data:image/png;base64,AA==")
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


@pytest.fixture
def turns():
    return Turns()


def test_system_texts_at_the_beginning_become_one_turn(turns):
    turns.system("Be brief.")
    turns.system("")
    turns.system("Be kind.")
    assert turns.messages() == [{"role": "system", "content": "Be brief.\n\nBe kind."}]


def test_a_later_system_text_stays_where_it_is(turns):
    turns.system("Be brief.")
    turns.user([text_part("hi")])
    turns.system("Be kind.")
    assert [turn["role"] for turn in turns.messages()] == ["system", "user", "system"]


def test_texts_of_one_turn_become_one_text(turns):
    turns.user([text_part("a"), text_part("b")])
    assert turns.messages() == [{"role": "user", "content": "a\nb"}]


def test_pictures_keep_their_place_between_the_texts(turns):
    parts = [text_part("before"), PICTURE, text_part("after")]
    turns.user(parts)
    assert turns.messages() == [{"role": "user", "content": parts}]


def test_nothing_said_is_no_turn(turns):
    turns.user([])
    turns.assistant("")
    turns.think("")
    assert turns.messages() == []


def test_thinking_words_and_calls_of_the_assistant_are_one_turn(turns):
    turns.think("Hm.")
    turns.assistant("I look.")
    turns.call("c1", "look", "")
    assert turns.messages() == [
        {"role": "assistant", "content": "I look.", "reasoning_content": "Hm.", "tool_calls": [CALL]}
    ]


def test_thinking_between_words_and_a_call_goes_with_the_same_turn(turns):
    turns.think("Hm.")
    turns.assistant("I look.")
    turns.think("Where?")
    turns.call("c1", "look", "{}")
    (turn,) = turns.messages()
    assert turn["reasoning_content"] == "Hm.\nWhere?"


def test_thinking_that_led_to_nothing_is_left_out(turns):
    turns.think("Hm.")
    turns.user([text_part("well?")])
    turns.assistant("Yes.")
    assert turns.messages() == [{"role": "user", "content": "well?"}, {"role": "assistant", "content": "Yes."}]


def test_a_call_after_a_result_begins_a_new_turn(turns):
    turns.call("c1", "look", "{}")
    turns.result("c1", [text_part("a door")])
    turns.call("c2", "look", "{}")
    assert [turn["role"] for turn in turns.messages()] == ["assistant", "tool", "assistant"]


def test_a_picture_from_a_tool_is_shown_behind_all_results(turns):
    turns.call("c1", "look", "{}")
    turns.result("c1", [PICTURE])
    turns.result("c2", [text_part("a door")])
    turns.user([text_part("Well?")])
    assert turns.messages()[1:] == [
        {"role": "tool", "tool_call_id": "c1", "content": SHOWN_BELOW},
        {"role": "tool", "tool_call_id": "c2", "content": "a door"},
        {"role": "user", "content": [PICTURE, text_part("Well?")]},
    ]


@pytest.mark.parametrize("goes_on", [lambda turns: None, lambda turns: turns.assistant("I see.")])
def test_a_picture_from_a_tool_is_shown_before_anything_else_is_said(turns, goes_on):
    turns.result("c1", [PICTURE])
    goes_on(turns)
    assert [turn["role"] for turn in turns.messages()][:2] == ["tool", "user"]
