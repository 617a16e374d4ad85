"""Parsers of text from models and clients take linear time: four times the text takes less than eight times as long."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from flask_shim.errors import ShimError
from flask_shim.translate.answer.text_tool_calls import TextCalls
from flask_shim.translate.answer.thinking import ThinkingSplitter
from flask_shim.translate.answer.tool_schemas import ToolSchemas
from flask_shim.translate.answer.xml_arguments import parse_pairs, parse_parameters
from flask_shim.translate.ollama.prompts import _pieces


def find_calls(text):
    finder = TextCalls(ToolSchemas({"f": {}}), lambda: "call_1")
    finder.feed(text)
    finder.flush()


def split_thinking(text):
    splitter = ThinkingSplitter()
    splitter.feed(text)
    splitter.flush()


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


def seconds(parse, text):
    start = time.thread_time()
    with suppress(ShimError, ValueError):  # rejecting it is fine
        parse(text)
    return time.thread_time() - start


@pytest.mark.parametrize(("parse", "head", "unit", "tail"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_takes_linear_time(parse, head, unit, tail):
    """Quadratic work takes 16 times as long in every round; a busy machine disturbs some rounds only."""
    few = many = float("inf")
    for _ in range(20):
        few = min(few, seconds(parse, head + unit * 4_000 + tail))
        many = min(many, seconds(parse, head + unit * 16_000 + tail))
        if many < 8 * few + 0.01:
            return
    pytest.fail(f"four times the text takes {many / few:.1f} times as long")
