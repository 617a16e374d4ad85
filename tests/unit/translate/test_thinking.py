"""Thinking comes out of the text the same, however the text is cut; text that only looks like it stays."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.chunks import PLACES, cut, one_by_one

from flask_shim.translate.answer.thinking import PAIRS, ThinkingSplitter

TAGS = [tag for pair in PAIRS for tag in pair]
TEXTS = st.lists(
    st.sampled_from(
        [*TAGS, "a", " b", "`", "{", "\n", " ", "<", "</", "[", "<th", "[/THIN", "x < y", "こ", "🌸", "<b>&"]
    ),
    max_size=8,
).map("".join)


def read(pieces, *, separately=False, **options):
    """Return thinking and answer as a client adds them up."""
    splitter = ThinkingSplitter(**options)
    if separately:
        splitter.skip_thinking()
    parts = [part for piece in pieces for part in splitter.feed(piece)] + splitter.flush()
    thinking, answer = "", ""
    for part in parts:
        if part.is_thinking:
            thinking += part.text
        elif part.orphan:
            thinking, answer = thinking + answer + part.text, ""
        else:
            answer += part.text
    return thinking, answer


@given(TEXTS, PLACES, st.booleans(), st.booleans())
@example("a</thinking>b</think>c", [14], True, False)
@example("<think>\n a", [7], True, False)
@example("<", [], True, True)
def test_any_cut_gives_the_same(text, places, with_orphans, separately):
    whole = read([text], with_orphans=with_orphans, separately=separately)
    assert read(cut(text, places), with_orphans=with_orphans, separately=separately) == whole
    assert read(one_by_one(text), with_orphans=with_orphans, separately=separately) == whole


@pytest.mark.parametrize(("opening", "closing"), PAIRS)
@pytest.mark.parametrize("pieces", [lambda text: [text], one_by_one])
def test_thinking_is_removed_with_its_tags_and_white_space(opening, closing, pieces):
    text = f"\n{opening}\nLet me\nsee. \n{closing}\n\n  Hello <b>World</b>\n"
    assert read(pieces(text)) == ("Let me\nsee.", "Hello <b>World</b>\n")


@pytest.mark.parametrize(("opening", "closing"), PAIRS)
def test_another_tag_inside_thinking_belongs_to_it(opening, closing):
    other = "</thinking>" if closing == "</think>" else "</think>"
    assert read([f"{opening}a {other} b{closing}c"]) == (f"a {other} b", "c")


@pytest.mark.parametrize(
    ("text", "thinking", "answer"),
    [
        ("", "", ""),
        ("Hello", "", "Hello"),
        ("  Hello", "", "  Hello"),
        ("\n", "", "\n"),
        ("<think></think>Hello", "", "Hello"),
        ("<think>\n\n</think>\n\nHello", "", "Hello"),
        ("<think>only", "only", ""),
        ("<think>only \n", "only", ""),
        ("<think>", "", ""),
        ("<think>a</think>", "a", ""),
        ("<think>a</think>\n\n", "a", ""),
        ("<think>a</think></think>b", "a", "b"),
        ("<think>a</think>\n</think>\nb", "a", "b"),
        ("<think>a</think>b</think>c", "a", "b</think>c"),
        ("<think>a</think>b<think>c</think>d", "a", "b<think>c</think>d"),
        ("<think>a</think><", "a", "<"),
        ("<think>a</think> [/TH", "a", "[/TH"),
        ("<think>a</thin", "a</thin", ""),
        ("<thinkable> is no tag", "", "<thinkable> is no tag"),
        ("<THINK>a</THINK>", "", "<THINK>a</THINK>"),
    ],
)
def test_thinking_and_answer_are_separated(text, thinking, answer):
    assert read([text]) == (thinking, answer)
    assert read(one_by_one(text)) == (thinking, answer)


@pytest.mark.parametrize(
    ("text", "thinking", "answer"),
    [
        ("a</think>b", "a", "b"),
        ("</think>b", "", "b"),
        ("\n</think>\n\nb", "", "b"),
        ("a\n</think>\n\nb</think>c", "a\n", "b</think>c"),
        ("a[/THINK]b", "a", "b"),
        ("a</thinking>b</think>c", "a", "b</think>c"),
        ("Write <think>a</think> around it.", "", "Write <think>a</think> around it."),
    ],
)
def test_a_closing_tag_alone_ends_thinking_once(text, thinking, answer):
    assert read([text]) == (thinking, answer)
    assert read(one_by_one(text)) == (thinking, answer)


@pytest.mark.parametrize(
    "text",
    [
        "The closing tag is `</think>`, put it last.",
        "`</think>` is the tag",
        'It says "</think>" and “</thinking>”.',
        '{"tag": "ends with </think> ok"}',
        "[1, </think>]",
    ],
)
def test_a_closing_tag_that_is_quoted_is_text(text):
    assert read([text]) == ("", text)
    assert read(one_by_one(text)) == ("", text)


@pytest.mark.parametrize("text", ["a</think>b", "a[/THINK]b", "Say </thinking>!"])
def test_a_closing_tag_behind_separate_thinking_is_text(text):
    assert read(one_by_one(text), separately=True) == ("", text)


@pytest.mark.parametrize("text", ["a</think>b", "a[/THINK]b", "Say </thinking>!"])
def test_a_closing_tag_is_text_where_a_model_cannot_think(text):
    assert read(one_by_one(text), with_orphans=False) == ("", text)


@pytest.mark.parametrize(
    ("text", "answer"),
    [("\n\nHello", "Hello"), ("</think>\n\nHello", "Hello"), ("\n\n", ""), ("<", "<"), ("<think>a", "<think>a")],
)
def test_after_separate_thinking_the_text_begins_with_the_answer(text, answer):
    assert read([text], separately=True) == ("", answer)
    assert read(one_by_one(text), separately=True) == ("", answer)


@given(st.text(st.sampled_from("<>[]/ thinkTHINK\nab")))
def test_without_a_whole_tag_no_character_is_lost(text):
    if not any(tag in text for tag in TAGS):
        assert read(one_by_one(text)) == ("", text)


def test_text_is_sent_at_once_if_it_cannot_be_a_tag():
    splitter = ThinkingSplitter()
    assert [part.text for part in splitter.feed("Hel")] == ["Hel"]
    assert splitter.passes("lo")
    assert not splitter.passes("x < y")
    assert [part.text for part in splitter.feed("x < y")] == ["x < y"]
    assert [part.text for part in splitter.feed("a <")] == ["a "]
    assert [part.text for part in splitter.feed("b")] == ["<b"]
