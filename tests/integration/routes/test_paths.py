"""Paths and methods as Ollama takes and refuses them."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("path", ["//api/version", "/api//version", "/v1/api/version", "/api/./version"])
def test_a_path_put_together_oddly_is_answered(path, client):
    assert "version" in client.get("/", environ_overrides={"PATH_INFO": path}).json


def test_a_get_with_a_slash_too_many_is_sent_to_the_right_place(client):
    answer = client.get("/api/tags/?a=1&b=2")
    assert (answer.status_code, answer.headers["Location"]) == (301, "/api/tags?a=1&b=2")
    assert answer.content_type == "text/html; charset=utf-8"
    assert answer.text == '<a href="/api/tags?a=1&amp;b=2">Moved Permanently</a>.\n\n'


@pytest.mark.parametrize(
    ("method", "path", "place"),
    [
        ("POST", "/api/chat/", "/api/chat"),
        ("HEAD", "/api/tags/", "/api/tags"),
        ("DELETE", "/api/delete/", "/api/delete"),
        ("POST", "/v1/chat/completions/", "/v1/chat/completions"),
    ],
)
def test_other_methods_keep_their_body_when_they_are_sent_on(method, path, place, client):
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.headers["Location"], answer.data) == (307, place, b"")
    assert "Content-Type" not in answer.headers


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("//evil.example/v1/x/", None),
        ("//v1/x/", "/v1/x"),
        ("/v1/a b<c>/", "/v1/a%20b%3Cc%3E"),
        ("/v1/a\r\nX: b/", None),
    ],
)
def test_no_one_is_sent_anywhere_else(path, place, client):
    answer = client.get("/", environ_overrides={"PATH_INFO": path})
    assert answer.headers.get("Location") == place
    assert "X" not in answer.headers


@pytest.mark.parametrize("path", ["/nope", "/nope/", "/API/tags", "/api/chat/x"])
def test_a_path_that_is_none_is_not_found(path, client):
    answer = client.get(path)
    assert (answer.status_code, answer.content_type, answer.data) == (404, "text/plain", b"404 page not found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/api/chat", "POST"),
        ("POST", "/api/tags", "HEAD, GET"),
        ("HEAD", "/api/ps", "GET"),
        ("GET", "/v1/chat/completions", "POST"),
        ("PUT", "/v1/chat/completions", "POST"),
        ("HEAD", "/v1/responses", "POST"),
        ("GET", "/v1/messages", "POST"),
        ("DELETE", "/v1/messages/count_tokens", "POST"),
        ("POST", "/v1/models", "GET"),
        ("HEAD", "/v1/models", "GET"),
        ("DELETE", "/v1/models/tiny", "GET"),
        ("GET", "/api/me", "POST"),
    ],
)
def test_a_method_a_path_does_not_have_is_refused_with_those_it_has(method, path, allowed, client, backend):
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.content_type) == (405, "text/plain")
    assert answer.headers["Allow"] == allowed
    assert answer.data == (b"" if method == "HEAD" else b"405 method not allowed")
    assert not backend.asked


UNKNOWN = ("/v1/nope", "/v1/files", "/v1/chat/nope", "/v1/audio/translations", "/v1/images/edits")
BODIES = {
    "nothing": b"",
    "an object without a model": b"{}",
    "a model that is no text": b'{"model": 5}',
    "no JSON": b"junk",
    "a list": b"[]",
    "a form": b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\ntiny\r\n--x--\r\n',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("path", UNKNOWN)
def test_unknown_path_below_v1_is_not_found_whatever_the_body(path, body, client, backend):
    answer = client.post(path, data=body, content_type="multipart/form-data; boundary=x")
    assert (answer.status_code, answer.content_type, answer.data) == (404, "text/plain", b"404 page not found")
    assert [asked for asked in backend.asked if asked.method == "POST"] == []


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "BREW"])
@pytest.mark.parametrize("path", UNKNOWN)
def test_unknown_path_below_v1_is_not_found_with_any_method(method, path, client):
    answer = client.open(path, method=method, data=b"{}", headers={"Host": "127.0.0.1"})
    assert answer.status_code == 404
    assert "Allow" not in answer.headers


def test_unknown_path_with_a_known_model_is_passed_on(client, backend):
    client.post("/v1/rerank", json={"model": "tiny", "query": "x"})
    assert backend.asked[-1].path == "/v1/rerank"
