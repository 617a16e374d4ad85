"""Conversations put together from the pieces of other protocols."""

from __future__ import annotations

import pytest

from flask_shim.translate.chat_turns import TurnBuilder, image_part, text_part

PICTURE = image_part("data:image/png;base64,iVBORw0KGgo=")
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


@pytest.fixture
def turns():
    return TurnBuilder()


def test_a_later_system_text_stays_where_it_is(turns):
    turns.system("Be brief.")
    turns.user([text_part("hi")])
    turns.system("Be kind.")
    assert [turn["role"] for turn in turns.turns] == ["system", "user", "system"]


def test_texts_of_one_turn_become_one_text(turns):
    turns.user([text_part("a"), text_part("b")])
    assert turns.turns == [{"role": "user", "content": "a\nb"}]


def test_pictures_keep_their_place_between_the_texts(turns):
    parts = [text_part("before"), PICTURE, text_part("after")]
    turns.user(parts)
    assert turns.turns == [{"role": "user", "content": parts}]


def test_an_empty_text_is_no_turn(turns):
    turns.user([])
    turns.assistant("")
    turns.think("")
    assert turns.turns == []


def test_thinking_text_and_calls_of_the_assistant_are_one_turn(turns):
    turns.think("Hm.")
    turns.assistant("I look.")
    turns.call("c1", "look", "{}")
    assert turns.turns == [
        {"role": "assistant", "content": "I look.", "reasoning_content": "Hm.", "tool_calls": [CALL]}
    ]


def test_thinking_between_text_and_a_call_joins_the_turn(turns):
    turns.think("Hm.")
    turns.assistant("I look.")
    turns.think("Where?")
    turns.call("c1", "look", "{}")
    (turn,) = turns.turns
    assert turn["reasoning_content"] == "Hm.\nWhere?"


def test_thinking_that_led_to_nothing_is_left_out(turns):
    turns.think("Hm.")
    turns.user([text_part("well?")])
    turns.assistant("Yes.")
    assert turns.turns == [{"role": "user", "content": "well?"}, {"role": "assistant", "content": "Yes."}]


def test_a_call_after_a_result_begins_a_new_turn(turns):
    turns.call("c1", "look", "{}")
    turns.result("c1", [text_part("a door")])
    turns.call("c2", "look", "{}")
    assert [turn["role"] for turn in turns.turns] == ["assistant", "tool", "assistant"]
