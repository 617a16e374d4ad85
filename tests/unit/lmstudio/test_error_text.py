"""LM Studio's errors, in all the ways it wraps them, become one exception each, with a text for people."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_shim.lmstudio.http.error_parsing import MAX_TEXT, error_text, parse_error_response

INVALID = 'Invalid model identifier "o4-mini". Please specify a valid downloaded model (e.g., qwen/qwen3-8b).'
CRASHED = "The model has crashed without additional information. (Exit code: null)"
TOO_LONG = "request (8810 tokens) exceeds the available context size (8192 tokens), try increasing it"
ISSUES = [
    {
        "code": "invalid_union_discriminator",
        "options": ["object"],
        "path": [0, "function", "parameters", "type"],
        "message": "Invalid discriminator value. Expected 'object'",
    }
]

ENVELOPES = {
    "a string": ({"error": "'messages' field is required"}, "'messages' field is required"),
    "an object": ({"error": {"message": INVALID, "type": "invalid_request_error", "param": "model"}}, INVALID),
    "JSON in a string": (
        {
            "error": "Engine protocol predict request returned 400: "
            + json.dumps({"error": {"code": 400, "message": TOO_LONG, "type": "exceed_context_size_error"}})
        },
        TOO_LONG,
    ),
    "JSON in an object's message": ({"error": {"message": f'{{"error": {{"message": "{TOO_LONG}"}}}}'}}, TOO_LONG),
    "a list of issues in a string": (
        {"error": json.dumps(ISSUES, indent=2)},
        "0.function.parameters.type: Invalid discriminator value. Expected 'object'",
    ),
    "two issues": ({"error": json.dumps([{"message": "Required"}, {"message": "Too big"}])}, "Required; Too big"),
    "a title": ({"title": "'messages' array must not be empty"}, "'messages' array must not be empty"),
    "the data of an error event": ({"error": {"message": CRASHED}, "message": CRASHED}, CRASHED),
    "a message beside nothing": ({"message": CRASHED}, CRASHED),
    "a detail": ({"detail": [{"loc": ["body"], "msg": "field required"}]}, "field required"),
    "details of FastAPI": (
        {
            "detail": [
                {"type": "less_than", "loc": ["body", "top_p"], "msg": "Input should be less than 1", "input": 2},
                {"type": "missing", "loc": ["body", "messages", 0, "role"], "msg": "Field required", "input": {}},
            ]
        },
        "top_p: Input should be less than 1; messages.0.role: Field required",
    ),
    "a path that is no list": ({"error": [{"path": 5, "loc": {}, "message": "Required"}]}, "Required"),
    "a number": ({"error": 500}, "500"),
}


@pytest.mark.parametrize(
    "text", ['data: {"error": {"message": "boom"}}', 'event: error\ndata: {"message": "boom"}\n\n']
)
def test_the_text_is_found_in_an_event(text):
    assert error_text(text.encode()) == "boom"


@pytest.mark.parametrize(("body", "text"), ENVELOPES.values(), ids=ENVELOPES.keys())
@pytest.mark.parametrize("indent", [None, 2])
def test_the_text_is_found_in_every_envelope(body, text, indent):
    assert error_text(json.dumps(body, indent=indent).encode()) == text


@pytest.mark.parametrize(
    "text",
    [
        "'response_format.type' must be 'json_schema' or 'text'",
        (
            "'messages' array must only contain objects with a 'role' field that is in [user, assistant, system, tool]."
            " Got 'developer'"
        ),
        'tool_choice must be one of ["none", "auto", "required"]',
        "temperature must be in [0, 2]",
        "_0x48eeaf is not iterable",
        'expected {"a": 1}',
        "{not json",
    ],
)
def test_brackets_in_a_text_are_part_of_it(text):
    assert error_text(json.dumps({"error": text}).encode()) == text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"plain words", "plain words"),
        (b"  bad gateway\n", "bad gateway"),
        (b"<html><body>502 Bad Gateway</body></html>", ""),
        (b"\n <!DOCTYPE html>", ""),
        (b"", ""),
        (b"null", ""),
        (b"{}", ""),
        (b"[]", ""),
        (b'{"error": null}', ""),
        (b'{"error": true}', ""),
        (b'{"error": {}}', ""),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_what_is_no_envelope_is_text_or_nothing_but_never_html(body, text):
    assert error_text(body) == text


@pytest.mark.parametrize("body", [b"x" * 10_000, json.dumps({"error": "x" * 10_000}).encode()])
def test_a_long_text_is_cut(body):
    assert error_text(body) == "x" * MAX_TEXT


@given(
    st.binary() | st.recursive(st.text() | st.none() | st.integers(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_any_body_gives_a_text_that_is_short_enough(body):
    assert len(error_text(body)) <= MAX_TEXT


def test_deep_nesting_gives_no_text():
    assert parse_error_response(400, b'{"error":' * 500 + b"1" + b"}" * 500).text == "LM Studio refused the request"
