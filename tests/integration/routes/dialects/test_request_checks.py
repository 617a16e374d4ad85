"""Responses and Messages are answered with a chat, and checked before, on every API version."""

from __future__ import annotations

import json

import pytest
from support.answers import silent, streams

HI = [{"role": "user", "content": "hi"}]
RESPONSES = {"model": "tiny", "input": "hi"}
MESSAGES = {"model": "tiny", "max_tokens": 5, "messages": HI}
BOTH = [("/v1/responses", RESPONSES), ("/v1/messages", MESSAGES)]


def paths(backend):
    return [asked.path for asked in backend.asked if not asked.path.endswith("/models")]


GENERATIONS = ["v1", "v0", "openai"]


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("path", "body"), BOTH)
def test_every_backend_receives_a_chat(path, body, stream, generation, lm_studio, client_of):
    backend = lm_studio(generation, streams("Hel", "lo"), responses=silent, messages=silent)
    answer = client_of(backend).post(path, json={**body, "stream": stream})
    assert (answer.status_code, b"Hel" in answer.data) == (200, True)
    assert answer.content_type == ("text/event-stream" if stream else "application/json")
    assert paths(backend) == ["/v1/chat/completions"]


@pytest.mark.parametrize(("path", "body"), BOTH)
@pytest.mark.parametrize("generation", GENERATIONS)
def test_an_alias_adds_its_system_prompt(path, body, generation, lm_studio, client_of):
    backend = lm_studio(generation, streams("Hi"))
    client = client_of(backend)
    client.post("/api/create", json={"model": "rumpel", "from": "tiny", "system": "You are Rumpel."})
    assert client.post(path, json={**body, "model": "rumpel"}).status_code == 200
    assert b"You are Rumpel." in backend.asked[-1].body


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b"", 400, "EOF"),
        (b"{", 400, "unexpected EOF"),
        (b"[]", 400, "json: cannot unmarshal array into Go value of type anthropic.MessagesRequest"),
        ({"max_tokens": 5, "messages": HI}, 400, "model is required"),
        ({"model": "tiny", "messages": HI}, 400, "max_tokens is required and must be positive"),
        ({"model": "tiny", "max_tokens": 5}, 400, "messages is required"),
        ({**MESSAGES, "model": "nope"}, 404, "model 'nope' not found"),
    ],
)
def test_messages_are_checked_on_every_route(body, status, text, generation, lm_studio, client_of):
    backend = lm_studio(generation, silent, messages=silent)
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client_of(backend).post("/v1/messages", data=sent)
    kind = {400: "invalid_request_error", 404: "not_found_error"}[status]
    number = answer.json.pop("request_id")
    assert (answer.status_code, answer.json["error"]) == (status, {"type": kind, "message": text})
    assert number.startswith("req_")
    assert len(number) == len("req_") + 24
    assert paths(backend) == []


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b"", 400, "EOF"),
        (b"[]", 400, "json: cannot unmarshal array into Go value of type openai.ResponsesRequest"),
        ({"input": "hi"}, 400, "model is required"),
        ({**RESPONSES, "model": "nope"}, 404, "model 'nope' not found"),
        ({**RESPONSES, "input": [{"type": "bogus"}]}, 400, 'input[0]: unknown input item type: "bogus"'),
    ],
)
def test_responses_are_checked_as_ollama_does(body, status, text, lm_studio, client_of):
    backend = lm_studio("v0", silent)
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client_of(backend).post("/v1/responses", data=sent)
    kind = {400: "invalid_request_error", 404: "not_found_error"}[status]
    assert answer.status_code == status
    assert answer.json == {"error": {"message": text, "type": kind, "param": None, "code": None}}
    assert paths(backend) == []
