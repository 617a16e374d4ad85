"""The context of a generation carries its turns, and what was not made here is not taken for it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_shim.translate.ollama.context import from_context, to_context
from flask_shim.translate.ollama.requests import Message

TEXT = st.text(st.characters(exclude_categories=("Cs",)))
TURNS = st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), TEXT), max_size=5).map(tuple)


@given(TURNS)
def test_turns_are_restored_unchanged(turns):
    assert from_context(to_context(turns)) == turns


@given(TURNS)
def test_a_context_is_a_list_of_small_whole_numbers(turns):
    context = to_context(turns)
    assert all(type(number) is int and 0 <= number < 1 << 31 for number in context)
    assert from_context(json.loads(json.dumps(context))) == turns


def test_a_context_is_never_empty():
    assert to_context(())
    assert from_context(()) == ()
    assert from_context([]) == ()


def test_pictures_are_left_behind():
    assert from_context(to_context([Message("user", "x", images=("MQ==",))])) == (Message("user", "x"),)


def test_a_long_conversation_is_shorter_than_its_text():
    turns = (Message("user", "Tell me a long story. " * 1000),)
    assert len(to_context(turns)) < 1000


GOOD = to_context((Message("user", "Hello"), Message("assistant", "Hi!")))


@pytest.mark.parametrize(
    "context",
    [
        (1,),
        (100, 101, 102, 103, 104),
        GOOD[:1],
        GOOD[:3],
        GOOD[:-1],
        GOOD[1:],
        (*GOOD[:3], GOOD[3] ^ 1, *GOOD[4:]),
        (GOOD[0], GOOD[1], GOOD[2] ^ 1, *GOOD[3:]),
        (GOOD[0], -5, *GOOD[2:]),
        (GOOD[0], 10**30, *GOOD[2:]),
        (*GOOD[:3], -1, *GOOD[4:]),
        (*GOOD[:3], 1 << 24, *GOOD[4:]),
        (*GOOD, 10**30),
    ],
)
def test_a_list_that_was_not_made_here_is_known(context):
    assert from_context(context) is None


@given(st.lists(st.integers(), min_size=1, max_size=50), st.booleans())
def test_any_list_is_read_or_refused(numbers, marked):
    assert from_context([GOOD[0], *numbers] if marked else numbers) is None


def test_a_context_that_unpacks_to_too_much_is_refused():
    assert from_context(to_context((Message("user", "x" * 5_000_000),))) is None
