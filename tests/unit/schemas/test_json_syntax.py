"""The scanner says what Go's encoding/json says, and accepts what is JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_shim.errors import BadRequest
from flask_shim.schemas.json_syntax import Scanner, quoted

PIECES = st.lists(
    st.sampled_from(
        [b"{", b"}", b"[", b"]", b",", b":", b'"', b'"a"', b"\\", b"\\n", b"\\u00e9", b"\\ud800", b" ", b"\n", b"\x01"]
    )
    | st.sampled_from(
        [b"-", b"0", b"1", b".5", b"e+", b"E9", b"true", b"fals", b"null", b"nul", b"NaN", b"\xff", b"\xc3"]
    ),
    max_size=12,
).map(b"".join)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def complaint(raw: bytes) -> str:
    with pytest.raises(BadRequest) as caught:
        Scanner(raw).scan()
    return caught.value.text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"x", "invalid character 'x' looking for beginning of value"),
        (b"{a:1}", "invalid character 'a' looking for beginning of object key string"),
        (b'{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b'{"model":}', "invalid character '}' looking for beginning of value"),
        (b'{"a":1 2}', "invalid character '2' after object key:value pair"),
        (b'{"a":1]', "invalid character ']' after object key:value pair"),
        (b"[1 2]", "invalid character '2' after array element"),
        (b"[1}", "invalid character '}' after array element"),
        (b"[,]", "invalid character ',' looking for beginning of value"),
        (b"[1,]", "invalid character ']' looking for beginning of value"),
        (b'"\x01"', r"invalid character '\x01' in string literal"),
        (b'"a\nb"', r"invalid character '\n' in string literal"),
        (b'"\\x"', "invalid character 'x' in string escape code"),
        (b'"\\u12g4"', r"invalid character 'g' in \u hexadecimal character escape"),
        (b'"\\u"', r"""invalid character '"' in \u hexadecimal character escape"""),
        (b"trx", "invalid character 'x' in literal true (expecting 'u')"),
        (b"faLse", "invalid character 'L' in literal false (expecting 'l')"),
        (b"nil", "invalid character 'i' in literal null (expecting 'u')"),
        (b"[NaN]", "invalid character 'N' looking for beginning of value"),
        (b"Infinity", "invalid character 'I' looking for beginning of value"),
        (b"-Infinity", "invalid character 'I' in numeric literal"),
        (b"[1.x]", "invalid character 'x' after decimal point in numeric literal"),
        (b"[1ex]", "invalid character 'x' in exponent of numeric literal"),
        (b"[1e+x]", "invalid character 'x' in exponent of numeric literal"),
        (b"[1.5.5]", "invalid character '.' after array element"),
        (b"[01]", "invalid character '1' after array element"),
        (b"[1e5e]", "invalid character 'e' after array element"),
        (b"\xef\xbb\xbf{}", "invalid character 'ï' looking for beginning of value"),
        (b"\x0b{}", r"invalid character '\v' looking for beginning of value"),
        (b"[" * 10_001, "invalid character '[' exceeded max depth"),
        (b'{"a":' * 10_001, "invalid character '{' exceeded max depth"),
    ],
)
def test_a_wrong_byte_is_named_as_go_names_it(raw, text):
    assert complaint(raw) == text


@pytest.mark.parametrize(
    "raw",
    [
        *(b"{", b"[", b"[1", b"[1,", b'{"a', b'{"a"', b'{"a":', b'{"a":1', b'{"a":1,', b'{"model":"x"', b'{"model":"x'),
        *(b"tru", b"-", b"1.", b"1e", b"1e+", b'"', b'"\\', b'"\\u12', b"[" * 10_000),
    ],
)
def test_a_text_that_stops_early_is_an_unexpected_end(raw):
    assert complaint(raw) == "unexpected EOF"


@pytest.mark.parametrize(
    ("byte", "text"),
    [
        ("'", r"'\''"),
        ('"', "'\"'"),
        ("\\", r"'\\'"),
        ("\t", r"'\t'"),
        ("\x00", r"'\x00'"),
        ("\x7f", r"'\x7f'"),
        ("\x80", r"'\u0080'"),
        ("\xa0", r"'\u00a0'"),
        ("\xad", r"'\u00ad'"),
        ("é", "'é'"),
    ],
)
def test_a_byte_is_quoted_as_latin_1(byte, text):
    assert quoted(ord(byte)) == text


@pytest.mark.parametrize(
    ("raw", "end"),
    [(b"{}}", 2), (b' {"a":1} {"b":2}', 8), (b"1x", 1), (b"0 1", 1), (b'"a""b"', 3), (b"nullnull", 4), (b"[]x", 2)],
)
def test_only_the_first_value_is_read(raw, end):
    assert Scanner(raw).scan() == end


def test_the_depth_counts_arrays_and_objects():
    scanner = Scanner(b'[{"a":[]},[],{}]')
    scanner.scan()
    assert scanner.depth == 3


def test_the_members_of_the_outermost_object_keep_their_text():
    scanner = Scanner(b'{"a" : [1, 2] , "b":{"c": 3},"a":"x"}')
    scanner.scan()
    assert scanner.members == [(b'"a"', b"[1, 2]"), (b'"b"', b'{"c": 3}'), (b'"a"', b'"x"')]


@settings(deadline=None)
@given(VALUES)
def test_every_json_value_is_read_to_its_end(value):
    raw = json.dumps(value).encode()
    assert Scanner(raw).scan() == len(raw)


@settings(deadline=None, max_examples=500)
@given(PIECES | st.binary(max_size=30))
def test_accepting_and_refusing_agree_with_another_reader(raw):
    try:
        end = Scanner(raw).scan()
    except BadRequest:
        end = 0
    assert is_json(raw[:end]) == bool(end)
    assert end or not is_json(raw)


def is_json(raw: bytes) -> bool:
    def refuse(constant):
        raise ValueError(constant)

    try:
        json.loads(raw.decode("utf-8", "surrogateescape"), parse_constant=refuse)
    except ValueError:
        return False
    return True
