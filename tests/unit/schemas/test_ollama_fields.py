"""keep_alive, think, format and images: the values Ollama reads with code of its own."""

from __future__ import annotations

import base64
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_shim.errors import BadRequest
from flask_shim.schemas.ollama_requests import load_chat, load_generate
from flask_shim.translate.ollama.requests import InvalidFormat


def ask(**fields: object):
    return load_generate(json.dumps({"model": "plain", **fields}).encode())


def complaint(**fields: object) -> str:
    with pytest.raises(BadRequest) as caught:
        ask(**fields)
    assert caught.value.status == 400
    return caught.value.text


@pytest.mark.parametrize(
    ("keep_alive", "seconds"),
    [
        (None, None),
        (0, 0.0),
        ("0", 0.0),
        ("0s", 0.0),
        (300, 300.0),
        (0.5, 0.5),
        ("5m", 300.0),
        ("5m0s", 300.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        ("250ms", 0.25),
        (1e-10, 0.0),
        (-1, math.inf),
        (-0.1, math.inf),
        ("-1m", math.inf),
        (1e20, math.inf),
    ],
)
def test_keep_alive_is_in_seconds_and_negative_is_forever(keep_alive, seconds):
    assert ask(keep_alive=keep_alive).keep_alive == seconds


@pytest.mark.parametrize(
    ("keep_alive", "text"),
    [
        ("abc", 'time: invalid duration "abc"'),
        ("", 'time: invalid duration ""'),
        ("5", 'time: missing unit in duration "5"'),
        ("-1", 'time: missing unit in duration "-1"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
        (" 5m", 'time: invalid duration " 5m"'),
        ("5 m", 'time: unknown unit " m" in duration "5 m"'),
        ("1e3", 'time: unknown unit "e" in duration "1e3"'),
        (True, "Unsupported type: 'bool'"),
        ([], "Unsupported type: '[]interface {}'"),
        ({}, "Unsupported type: 'map[string]interface {}'"),
    ],
)
def test_malformed_keep_alive_is_rejected_with_gos_text(keep_alive, text):
    assert complaint(keep_alive=keep_alive) == text


@pytest.mark.parametrize("think", [None, True, False, "low", "max", "bogus", ""])
def test_think_is_a_claim_or_a_name(think):
    assert repr(ask(think=think).think) == repr(think)


@pytest.mark.parametrize("think", [1, {}, [True]])
def test_think_in_another_form_is_refused(think):
    assert complaint(think=think) == "think must be a boolean or string"


@pytest.mark.parametrize(
    ("format_", "read"),
    [(None, None), ("", None), ("json", "json"), ({"type": "object"}, {"type": "object"}), ({}, {})],
)
def test_format_is_absent_json_or_a_schema(format_, read):
    assert ask(format=format_).format == read


@pytest.mark.parametrize(
    ("written", "quoted"),
    [
        ('"bogus"', r'"\"bogus\""'),
        (r'"{\"type\":\"object\"}"', r'"\"{\\\"type\\\":\\\"object\\\"}\""'),
        ("[1, 2]", '"[1, 2]"'),
        ("true", '"true"'),
        ("1.50", '"1.50"'),
    ],
)
def test_an_invalid_format_is_kept_as_written_to_be_refused_later(written, quoted):
    read = load_chat(b'{"model":"plain","format": %s , "stream":false}' % written.encode()).format
    assert read == InvalidFormat(written)
    assert read.complaint == f'invalid format: {quoted}; expected "json" or a valid JSON Schema object'


@settings(deadline=None)
@given(st.binary(max_size=40), st.integers(0, 60))
def test_an_image_is_read_from_base64_with_or_without_a_line_end(data, at):
    letters = base64.b64encode(data).decode()
    assert ask(images=[letters[:at] + "\r\n" + letters[at:]]).images == (letters,)


@pytest.mark.parametrize(
    ("letters", "at"),
    [
        ("data:image/png;base64,aGVsbG8=", 4),
        ("http://example.com/x.png", 4),
        ("aGVsbG8", 4),
        ("aGVs!G8=", 4),
        ("aGVsbG8=x", 8),
        ("aGVsbG8==", 8),
        ("aGVsbA=", 7),
        ("aGVsbA=x", 6),
        ("aGVsb===", 5),
        ("====", 0),
        ("AAAA====", 4),
        ("a", 0),
        ("aG_s", 2),
        ("ä", 0),
        ("aGVsbA=\n", 8),
        ("aGVs bG8=", 4),
    ],
)
def test_base64_that_is_none_is_refused_at_the_byte_go_names(letters, at):
    assert complaint(images=[letters]) == f"illegal base64 data at input byte {at}"


def test_an_image_in_a_message_is_refused_as_plainly():
    with pytest.raises(BadRequest, match=r"^illegal base64 data at input byte 4$"):
        load_chat(b'{"model":"plain","messages":[{"images":["data:image/png;base64,aGVsbG8="]}]}')


def test_bits_behind_the_data_of_an_image_are_left_out():
    assert ask(images=["aGVsbG9="]).images == ("aGVsbG8=",)


def test_an_image_of_nothing_stays_an_image():
    assert ask(images=[None, ""]).images == ("", "")
