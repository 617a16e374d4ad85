"""What a record looks like once it is written: one line of printable ASCII, without anybody's key."""

from __future__ import annotations

import logging
import re
import sys

import pytest

from flask_shim.observability.logs import LONGEST_LINE, OneLine, escaped, quoted
from flask_shim.observability.request_context import RequestRecord, enter

KEY = "sesame/open+now="
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (\w+) (\S+) id=(\S+) (.*)")


def written(message, *args, formatter=None, name="flask_shim.x", level=logging.INFO, exc_info=None):
    record = logging.LogRecord(name, level, __file__, 1, message, args, exc_info)
    return (formatter or OneLine()).format(record)


def raised(text):
    try:
        raise ValueError(text)
    except ValueError:
        return sys.exc_info()


def test_a_line_has_time_level_logger_request_id_and_text():
    found = LINE.fullmatch(written("path=%s ms=%d", "/x", 3))
    assert found.groups() == ("INFO", "flask_shim.x", "-", "path=/x ms=3")


def test_a_line_carries_the_id_of_the_request_it_was_written_in():
    enter(RequestRecord(id="abc-1"))
    try:
        assert " id=abc-1 " in written("x")
    finally:
        enter(None)
    assert " id=- " in written("x")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, C:\\models\\a.gguf", "plain text, C:\\models\\a.gguf"),
        ("/x\nCRITICAL forged\x1b[31m", r"/x\nCRITICAL forged\x1b[31m"),
        ("a\r\nb\tc\x00\x7f", r"a\r\nb\tc\x00\x7f"),
        ("\x85\x9b31m\xa0", r"\x85\x9b31m\xa0"),
        ("\u2028\u2029\u202e\u200b\ufeff", r"\u2028\u2029\u202e\u200b\ufeff"),
        ("h\xe9llo \u20ac \U0001f600", r"h\xe9llo \u20ac \U0001f600"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_is_not_printable_ascii_is_escaped(text, shown):
    assert escaped(text) == shown
    line = written("%s", text)
    assert line.endswith(f" {shown}")
    assert line.isascii()
    assert line.isprintable()


@pytest.mark.parametrize("name", ["waitress", "urllib3.connectionpool", "py.warnings", "a\nb"])
def test_lines_of_others_are_written_the_same_way(name):
    line = written("Exception while serving /raise\n2026 CRITICAL forged", name=name, exc_info=raised("x\ny"))
    assert "\n" not in line
    assert r"\n2026 CRITICAL forged" in line


def test_a_traceback_stays_on_its_line():
    line = written("internal error", exc_info=raised("bad\nnews"), level=logging.ERROR)
    assert LINE.fullmatch(line)
    assert r"internal error trace=Traceback (most recent call last):\n" in line
    assert line.endswith(r"ValueError: bad\nnews")


def test_a_line_has_an_end_however_much_a_client_sends():
    assert len(written("%s", "x" * 10 * LONGEST_LINE)) < LONGEST_LINE + 200


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer k123",
        "authorization=bearer  k123",
        "{'Authorization': 'Bearer k123'}",
        '{"x-api-key": "k123"}',
        "X-Api-Key: k123",
        "BEARER k123",
    ],
)
def test_credentials_of_any_client_are_left_out(text):
    line = written("%s", text)
    assert "k123" not in line
    assert "***" in line


@pytest.mark.parametrize("text", ["Malformed LM Studio API token provided: {}", "/x?key={}", "'{}'", "{}"])
def test_the_keys_of_the_settings_are_left_out_wherever_they_stand(text):
    formatter = OneLine(["short", KEY, ""])
    assert KEY not in written("%s", text.format(KEY), formatter=formatter)
    assert KEY not in written("failed", formatter=formatter, exc_info=raised(text.format(KEY)))
    assert "***" in written("%s", text.format("short"), formatter=formatter)


@pytest.mark.parametrize("shown", range(1, len(KEY)))
def test_key_across_the_end_of_a_long_line_is_left_out_too(shown):
    text = "." * (LONGEST_LINE - shown) + KEY
    assert KEY[:shown] not in written("%s", text, formatter=OneLine([KEY])).rpartition(".")[2]


def test_a_key_within_a_word_is_not_masked():
    assert written("llama.cpp ollama", formatter=OneLine(["lama"])).endswith(" llama.cpp ollama")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"),
        (12.5, "12.5"),
        ("", '""'),
        ("two words", '"two words"'),
        ("a=b", '"a=b"'),
        ('say "hi"', r'"say \"hi\""'),
        ("/x outcome=done", '"/x outcome=done"'),
        ("a\u2003b", '"a\u2003b"'),
    ],
)
def test_a_value_cannot_be_taken_for_two(value, shown):
    assert quoted(value) == shown
