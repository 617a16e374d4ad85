"""Bodies become objects, or Ollama's 400."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_shim.errors import BadRequest
from flask_shim.schemas.json_body import MAX_DEPTH, member_text, read_json, read_literals, read_object

FIELDS = st.dictionaries(
    st.text(max_size=5),
    st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5), st.lists, max_leaves=5),
    max_size=5,
)


def read(raw: bytes) -> dict:
    return read_object(raw, "api.ShowRequest")


def complaint(raw: bytes) -> str:
    with pytest.raises(BadRequest) as caught:
        read(raw)
    assert caught.value.status == 400
    return caught.value.text


@pytest.mark.parametrize("raw", [b"", b" ", b"\r\n\t "])
def test_an_empty_body_is_missing(raw):
    assert complaint(raw) == "missing request body"


def test_the_text_for_an_empty_body_can_be_another():
    with pytest.raises(BadRequest, match=r"^EOF$"):
        read_object(b"", "openai.ChatCompletionRequest", empty_text="EOF")


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"[]", "array"),
        (b'"x"', "string"),
        (b"1", "number"),
        (b"-1.5", "number"),
        (b"true", "bool"),
        (b"1x", "number"),
    ],
)
def test_what_is_no_object_is_refused_by_its_kind(raw, kind):
    assert complaint(raw) == f"json: cannot unmarshal {kind} into Go value of type api.ShowRequest"


def test_null_is_an_empty_object():
    assert read(b" null ") == {}


@pytest.mark.parametrize("junk", [b"}", b"x", b"{}", b"\x00", b"\xff", b" trailing", b"]" * 20_000])
def test_what_follows_the_object_is_ignored(junk):
    assert read(b'{"a":[1]}' + junk) == {"a": [1]}


def test_the_last_of_equal_keys_wins():
    assert read(b'{"a":1,"a":2}') == {"a": 2}


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (rb'"\ud800"', "\ufffd"),
        (rb'"\udc00x"', "\ufffdx"),
        (rb'"\ud800\ud800"', "\ufffd\ufffd"),
        (rb'"\ud800\ud83d\ude00"', "\ufffd\U0001f600"),
        (rb'"\ud83d\ude00"', "\U0001f600"),
        (rb'"\\ud800"', "\\ud800"),
        (rb'"\\\ud800"', "\\\ufffd"),
        (b'"\xff"', "\ufffd"),
        (b'"\xe2\x82"', "\ufffd\ufffd"),
        (b'"\xed\xa0\x80"', "\ufffd\ufffd\ufffd"),
        (b'"\xff\xf0\x9f\x98\x80"', "\ufffd\U0001f600"),
        (rb'"\u0000\u2028"', "\x00\u2028"),
    ],
)
def test_what_no_text_can_hold_becomes_a_replacement_character(raw, text):
    assert read(b'{"prompt":%s}' % raw) == {"prompt": text}


@pytest.mark.parametrize("literal", ["1e400", "-1e400", "1" * 400, "1" * 5000])
def test_a_number_beyond_a_double_is_refused(literal):
    shown = literal if len(literal) <= 100 else f"{literal[:100]}…"
    expected = f"json: cannot unmarshal number {shown} into Go value of type float64"
    assert complaint(b'{"a":%s}' % literal.encode()) == expected


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        (b"18446744073709551616", 2.0**64),
        (b"1e-400", 0.0),
        (b"-0", 0),
        (b"1E2", 100.0),
        (b"9007199254740993", 2**53 + 1),
    ],
)
def test_numbers_keep_their_value(literal, value):
    assert read(b'{"a":%s}' % literal) == {"a": value}


def nested(levels: int) -> bytes:
    # orjson 3.10 and 3.11 do not count an empty array as a level.
    return b'{"a":' + b"[" * (levels - 1) + b"1" + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize("raw", [nested(MAX_DEPTH), nested(2) + b"[" * 500, b'{"a":"%s"}' % (b"[" * 500)])
def test_a_body_within_the_depth_is_taken(raw):
    assert list(read(raw)) == ["a"]


def test_many_brackets_side_by_side_are_not_deep():
    assert read(b'{"a":[%s]}' % b",".join([b"[{}]"] * 5000))["a"][0] == [{}]


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 1023, 1100, 10_000])
def test_a_body_nested_too_deeply_gets_the_limit(levels):
    assert complaint(nested(levels)) == f"request body is nested more than {MAX_DEPTH} levels deep"


def test_objects_count_for_the_depth_like_arrays():
    assert "200 levels" in complaint(b'{"a":' * 300 + b"{}" + b"}" * 300)


def test_a_body_beyond_gos_depth_gets_gos_error():
    assert complaint(nested(100_000)) == "invalid character '[' exceeded max depth"


def test_a_member_is_found_as_it_was_written():
    assert member_text(b'{"x":1,"FORMAT": [1,  2], "format":null}', "format") == "[1,  2]"


def test_a_number_can_be_read_as_it_was_written():
    literals = read_literals(b'{"a":1.50,"b":[1e3,12]}', "api.ShowRequest")
    assert [literals["a"].text, *(number.text for number in literals["b"])] == ["1.50", "1e3", "12"]


@settings(deadline=None)
@given(FIELDS)
def test_an_object_is_read_as_it_was_written(fields):
    assert read(json.dumps(fields).encode()) == fields


@settings(deadline=None)
@given(FIELDS, st.binary())
def test_an_object_is_read_whatever_follows_it(fields, junk):
    assert read(json.dumps(fields).encode() + junk) == fields


@settings(deadline=None, max_examples=300)
@given(FIELDS, st.integers(0), st.binary(max_size=4))
def test_a_damaged_object_is_an_object_or_a_400(fields, at, damage):
    raw = json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass")
    at %= len(raw)
    assert json.dumps(outcome(raw[:at] + damage + raw[at + len(damage) :]), allow_nan=False)


@settings(deadline=None, max_examples=300)
@given(st.binary())
def test_any_bytes_are_an_object_or_a_400(raw):
    assert json.dumps(outcome(raw), allow_nan=False)


def outcome(raw: bytes) -> dict | str:
    try:
        return read(raw)
    except BadRequest as error:
        return error.text


@pytest.mark.parametrize(
    ("raw", "repaired"),
    [
        (b'{"a": "\xe9"}', '{"a": "\ufffd"}'.encode()),
        (b'{"a": "\\ud83d"}', b'{"a": "\\ufffd"}'),
        (b'{"a": 1} rest', b'{"a": 1}'),
        (b'{ "a" : 1 }\n', b'{ "a" : 1 }\n'),
    ],
)
def test_a_body_to_forward_is_valid_json(raw, repaired):
    assert read_json(raw, "api.X", empty_text="")[0] == repaired
