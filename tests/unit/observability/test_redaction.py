"""What is kept of requests has neither keys nor pictures, and everything else."""

from __future__ import annotations

import json

import pytest

from flask_shim.observability import redaction
from flask_shim.observability.redaction import LEFT_OUT, redacted_body, redacted_headers, redacted_query

PICTURE = "iVBORw0KGgo" * 100
PICTURE_LEFT_OUT = f"(left out: {len(PICTURE)} characters)"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"api_key": "sk-1", "Authorization": "Bearer x"}, {"api_key": LEFT_OUT, "Authorization": LEFT_OUT}),
        ({"mcp_servers": [{"authorization_token": "t"}]}, {"mcp_servers": [{"authorization_token": LEFT_OUT}]}),
        ({"tools": [{"headers": {"X-Team": "a"}}]}, {"tools": [{"headers": {"X-Team": LEFT_OUT}}]}),
        ({"messages": [{"images": [PICTURE]}]}, {"messages": [{"images": [PICTURE_LEFT_OUT]}]}),
        ({"image_url": {"url": "data:image/png;base64,AAAA"}}, {"image_url": {"url": "(left out: 26 characters)"}}),
        ({"source": {"type": "base64", "data": PICTURE}}, {"source": {"type": "base64", "data": PICTURE_LEFT_OUT}}),
    ],
)
def test_keys_and_pictures_are_left_out(sent, kept):
    assert redacted_body(json.dumps(sent).encode()) == (kept, False)


@pytest.mark.parametrize(
    "sent",
    [
        {"max_tokens": 5, "token_count": "many", "messages": [{"content": "my password is long " * 50}]},
        {"image_url": {"url": "https://example.org/a.png"}, "data": "short"},
        ["not an object"],
    ],
)
def test_everything_else_is_kept_as_it_is(sent):
    assert redacted_body(json.dumps(sent).encode()) == (sent, True)


def test_bodies_that_are_not_json_are_only_counted():
    assert redacted_body(b"--form-data") == ("(11 bytes that are not JSON)", False)
    assert redacted_body(b"") == (None, True)


def test_long_bodies_are_cut(monkeypatch):
    monkeypatch.setattr(redaction, "LONGEST_BODY", 10)
    assert redacted_body(b'{"prompt":"aaaaaaaaaa"}') == ('{"prompt": (13 more bytes)', False)


def test_of_unknown_headers_and_queries_only_names_are_kept():
    sent = [("User-Agent", "curl"), ("X-Api-Key", "sk-1"), ("Cookie", "a=b"), ("Content-Type", "application/json")]
    kept = {"User-Agent": "curl", "X-Api-Key": LEFT_OUT, "Cookie": LEFT_OUT, "Content-Type": "application/json"}
    assert redacted_headers(sent) == kept
    assert redacted_query("beta=yes&key=sk-123") == f"beta=yes&key={LEFT_OUT}"
