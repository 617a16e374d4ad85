"""Parsers of text from models and clients take linear time: four times the text takes less than eight times as long."""

from __future__ import annotations

import sys
import time
from contextlib import suppress

import pytest

from flask_shim.errors import ShimError
from flask_shim.lmstudio.completion_events import Choice, Event
from flask_shim.translate.answer.answer_reader import AnswerReader, ReaderOptions
from flask_shim.translate.answer.call_forms import parse_pairs, parse_parameters
from flask_shim.translate.answer.text_tool_calls import TextCalls
from flask_shim.translate.answer.thinking import ThinkingSplitter
from flask_shim.translate.answer.tool_schemas import ToolSchemas
from flask_shim.translate.ollama.prompts import _pieces
from flask_shim.translate.openai.chat_repairs import ChatRepairer


def feed(reader, pieces):
    for piece in pieces:
        reader.feed(piece)
    reader.flush()


def find_calls(*pieces):
    feed(TextCalls(ToolSchemas({"f": {}}), lambda: "call_1"), pieces)


def split_thinking(*pieces):
    feed(ThinkingSplitter(), pieces)


def read_thinking(*pieces):
    reader = AnswerReader(ReaderOptions(offered={"f": {}}))
    for piece in pieces:
        reader.feed([Event(choices=(Choice(thinking=piece),))])
    reader.finish()


HOSTILE = {
    "empty calls": (find_calls, "", "<tool_call></tool_call>", ""),
    "open calls": (find_calls, "", "<tool_call>", ""),
    "key tags in a call": (find_calls, "<tool_call>f", "<arg_key></arg_key><arg_value>", "</tool_call>"),
    "parameter tags in a call": (find_calls, "<function=f>", "<parameter=", "</function>"),
    "key tags": (parse_pairs, "", "<arg_key></arg_key><arg_value>", ""),
    "parameter tags": (parse_parameters, "", "<parameter=a>", ""),
    "thinking": (split_thinking, "<think>", " </thin", ""),
    "repeated closing tags": (split_thinking, "", "</think>" * 10, ""),
    "repeated closing tags after thinking": (split_thinking, "<think>x</think>", "</think> " * 10, ""),
    "blanks in a template": (_pieces, "{{ .Prompt }}", " ", "x"),
    "openings in a template": (_pieces, "", "{{- ", ""),
}


def forward(*events):
    repairer = ChatRepairer(ReaderOptions(offered={"f": {}}))
    for event in events:
        repairer.complete_events(b'data: {"choices": [{"delta": %b}]}\n\n' % event)


MANY_EVENTS = {
    "blanks before an answer": (split_thinking, "", " "),
    "a blank event and many blanks": (split_thinking, " " * 4_000, " "),
    "blanks and the beginnings of tags": (split_thinking, "", " <"),
    "blanks before thinking": (split_thinking, "<think>", "\n"),
    "blanks in thinking": (split_thinking, "<think>a", "\n"),
    "blanks after thinking": (split_thinking, "<think>a</think>", "\n"),
    "beginnings of closing tags in thinking": (split_thinking, "<think>", "</thin"),
    "beginnings of closing tags in an answer": (split_thinking, "a", "</thin"),
    "closing tags after thinking": (split_thinking, "<think>a</think>", "</think>"),
    "letters of a call": (find_calls, "<tool_call>", "a" * 16),
    "letters of a call without a closing tag": (find_calls, "[TOOL_CALLS]", "a" * 16),
    "beginnings of a closing tag": (find_calls, "<tool_call>", "</tool_cal"),
    "beginnings of an opening tag": (find_calls, "", "<tool_cal"),
    "openings of a call": (find_calls, "", "<tool_call>"),
    "empty calls": (find_calls, "", "<tool_call></tool_call>"),
    "blanks after a call": (find_calls, "<function=f></function>", " "),
    "letters of a call in the thinking": (read_thinking, "<tool_call>", "a" * 16),
    "blanks after a call in the thinking": (read_thinking, "<function=f></function>", " "),
    "letters of a call in forwarded thinking": (
        forward,
        b'{"reasoning_content": "<tool_call>"}',
        b'{"reasoning_content": "aaaaaaaaaaaaaaaa"}',
    ),
    "blank arguments of a forwarded call": (
        forward,
        b'{"tool_calls": [{"index": 0, "function": {"name": "f"}}]}',
        b'{"tool_calls": [{"index": 0, "function": {"arguments": " "}}]}',
    ),
    "calls in the thinking": (read_thinking, "", "<function=f></function>"),
}


clock = time.perf_counter if sys.platform == "win32" else time.thread_time
"""Other processes do not count in the time of a thread, but on Windows it advances in steps of 15.6 ms."""


def seconds(parse, *pieces):
    start = clock()
    with suppress(ShimError, ValueError):  # rejecting it is fine
        parse(*pieces)
    return clock() - start


def growth(parse, few_pieces, many_pieces):
    """Return how many times as long the larger input takes, less 10 ms; the first round below 8 counts."""
    few = many = float("inf")
    for _ in range(20):
        few = min(few, seconds(parse, *few_pieces))
        many = min(many, seconds(parse, *many_pieces))
        if many < 8 * few + 0.01:
            break
    return (many - 0.01) / few


def check_linear(parse, pieces_of):
    """Quadratic work takes 16 times as long for four times the text; a busy machine disturbs some rounds only.

    Texts of more than a megabyte cost more for each byte, as their memory comes from the system. So larger texts are
    compared with each other if one of them is too slow beside a small one.
    """
    few, many = pieces_of(4_000), pieces_of(16_000)
    if growth(parse, few, many) >= 8:
        assert growth(parse, many, pieces_of(64_000)) < 8


@pytest.mark.parametrize(("parse", "head", "unit", "tail"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_takes_linear_time(parse, head, unit, tail):
    check_linear(parse, lambda count: [head + unit * count + tail])


@pytest.mark.parametrize(("parse", "head", "unit"), MANY_EVENTS.values(), ids=MANY_EVENTS.keys())
def test_many_small_events_take_linear_time(parse, head, unit):
    check_linear(parse, lambda count: [head, *[unit] * count])
