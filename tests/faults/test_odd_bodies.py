"""Unusual bodies: rejected with a text or accepted, never an internal error."""

from __future__ import annotations

import json

import pytest
from support.checked_shim import PROMPT, chat
from support.fake_lmstudio import CHAT, EMBEDDER, last_message
from support.wire import send_request

OLLAMA = ("/api/chat", "/api/generate", "/api/embed", "/api/show", "/api/create", "/api/pull")
OTHERS = ("/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/embeddings", "/chat", "/models/load")
ROUTES = (*OLLAMA, *OTHERS, "/api/v1/models/load")

DEEP = 100_000
DIGITS = b"9" * 5000

BODIES = {
    "nothing": b"",
    "half an object": b"{",
    "a list": b"[]",
    "null": b"null",
    "a text": b'"text"',
    "a number": b"1",
    "bad UTF-8": b'{"model": "\xff\xfe", "messages": [{"role": "user", "content": "\xff"}], "prompt": "\xff"}',
    "a byte-order mark": b'\xef\xbb\xbf{"model": "tiny"}',
    "UTF-16": '{"model": "tiny"}'.encode("utf-16"),
    "zeros": b"\x00" * 100,
    "lists in lists": b"[" * DEEP + b"]" * DEEP,
    "objects in objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "depth in a field": b'{"model": "tiny", "options": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "depth in a schema": b'{"model": "tiny", "format": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
    "depth without an end": b'{"a":' * DEEP,
    "digits": b'{"model": "tiny", "options": {"num_ctx": %s}, "keep_alive": %s}' % (DIGITS, DIGITS),
    "digits for a model": b'{"model": %s}' % DIGITS,
    "too large a float": b'{"model": "tiny", "options": {"temperature": 1e400}, "temperature": 1e400}',
    "not a number": b'{"model": "tiny", "options": {"temperature": NaN}, "temperature": NaN}',
    "infinity": b'{"model": "tiny", "keep_alive": Infinity, "ttl": -Infinity}',
    "half a surrogate pair": b'{"model": "tiny\\ud800", "messages": [{"role": "user", "content": "\\udfff"}]}',
    "a model twice": b'{"model": 1, "model": "tiny", "messages": [], "keep_alive": 0}',
    "a long key": b'{"%s": 1}' % (b"k" * 100_000),
    "many keys": b"{%s}" % b",".join(b'"k%d":1' % number for number in range(50_000)),
    "other types": b'{"model": ["tiny"], "messages": {"role": 1}, "input": {"a": 1}, "prompt": [[1]], "tools": "x"}',
    "nulls": b'{"model": null, "messages": null, "input": null, "prompt": null, "options": null, "stream": null}',
    "no model": b'{"messages": [{"role": "user", "content": "hi"}], "prompt": "hi", "input": "hi"}',
    "a long model": json.dumps({"model": "m" * 10_000}).encode(),
    "a model of a path": b'{"model": "../../etc/passwd", "model_key": "../../etc/passwd"}',
    "a model of an address": b'{"model": "http://evil.test/x?y#z", "model_key": "%2e%2e"}',
    "a model of a line": b'{"model": "x\\r\\nX-Evil: 1\\u2028\\u0000\\u001b[31m", "messages": []}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_odd_body_is_no_bug_on_any_route(patient, body):
    for path in ROUTES:
        answer = patient.ask(path, body)
        assert answer.is_whole
        assert b"internal error" not in answer.body
        assert answer.status in (200, 400, 404, 413, 422, 500, 501), f"{path}: {answer}"
        assert len(answer.body) < 30_000
        assert isinstance(answer.lines[-1], dict)
    assert "error:internal" not in patient.log


HEADERS = {
    "no type": {},
    "a form": {"Content-Type": "application/x-www-form-urlencoded"},
    "plain text": {"Content-Type": "text/plain; charset=utf-16"},
    "multipart without a boundary": {"Content-Type": "multipart/form-data"},
    "multipart": {"Content-Type": "multipart/form-data; boundary=x"},
    "nonsense": {"Content-Type": "\xff\xfe;;;=", "Accept": "\xff", "Accept-Encoding": "*;q=x", "TE": "x"},
    "a range": {"Range": "bytes=0-1", "If-None-Match": "*", "If-Modified-Since": "yesterday", "Cookie": "a=\xff"},
    "no content encoding": {"Content-Encoding": "identity"},
    "a name for itself": {"X-Request-ID": "a b\x80", "X-Forwarded-For": "<script>", "Forwarded": "for=\xff"},
    "many": {f"X-{number}": "y" * 50 for number in range(400)},
}


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS.keys())
def test_chat_is_a_chat_whatever_its_headers_say(patient, headers):
    answer = patient.ask("/api/chat", chat(), headers=headers)
    assert (answer.status, answer.lines[-1]["done"]) == (200, True)
    assert patient.end_of("/api/chat")["client"] == "127.0.0.1"


@pytest.mark.parametrize(
    "text", ["\u2028\u2029\x85", "\x00\x1b[31m", "\U0001f600\U00012345", "\ufffe\uffff", "<b>&\"'"]
)
def test_odd_text_reaches_the_backend_unchanged(patient, studio, text):
    answer = patient.ask("/api/chat", chat(messages=[{"role": "user", "content": text}]))
    assert answer.status == 200
    assert last_message(studio.asked_for(CHAT)[0]) == text


def test_ten_thousand_messages_are_taken(patient, studio):
    messages = [{"role": role, "content": PROMPT} for _ in range(5000) for role in ("user", "assistant")]
    assert patient.ask("/api/chat", chat(messages=messages)).lines[-1]["done"] is True
    assert len(studio.asked_for(CHAT)[0].json["messages"]) == 10_000


IMAGES = {
    "no base64": ("not base64!", 400),
    "an address": ("http://127.0.0.1:1/image.png", 400),
    "a file": ("file:///etc/passwd", 400),
    "nothing": ("", 400),
}


@pytest.mark.parametrize(("image", "status"), IMAGES.values(), ids=IMAGES.keys())
def test_image_that_is_none_is_refused_and_nothing_is_fetched(patient, studio, image, status):
    message = {"role": "user", "content": "what is this", "images": [image]}
    answer = patient.ask("/api/chat", chat(messages=[message]))
    assert answer.status == status
    assert studio.asked_for(CHAT) == []


def test_body_beyond_the_limit_is_refused_unread(impatient, studio):
    answer = impatient.ask("/api/chat", chat(messages=[{"role": "user", "content": "x", "images": ["A" * 3_000_000]}]))
    assert answer.status == 413
    assert studio.asked == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/chat", 405),
        ("DELETE", "/api/tags", 405),
        ("PATCH", "/", 405),
        ("HEAD", "/api/chat", 405),
        ("GET", "/api/nowhere", 404),
        ("GET", "/api/tags/x", 404),
        ("TRACE", "/api/version", 405),
    ],
)
def test_wrong_method_or_path_is_an_error(patient, studio, method, path, status):
    answer = send_request(patient.port, path, method=method)
    assert answer.status == status
    assert ("allow" in answer.headers) == (status == 405)
    assert studio.asked == []


def test_many_texts_to_embed_are_taken(patient, studio):
    texts = [PROMPT] * 2000
    answer = patient.ask("/api/embed", {"model": EMBEDDER, "input": texts})
    assert answer.status == 502  # LM Studio gave one vector for them
    assert len(studio.asked_for("/v1/embeddings")[0].json["input"]) == 2000
