"""When Responses and Messages are passed on, and when they are translated."""

from __future__ import annotations

import json

import pytest
from support.answers import replies, silent, streams

from flask_shim.services import services_of

HI = [{"role": "user", "content": "hi"}]
RESPONSES = {"model": "tiny", "input": "hi"}
MESSAGES = {"model": "tiny", "max_tokens": 5, "messages": HI}
BOTH = [("/v1/responses", RESPONSES), ("/v1/messages", MESSAGES)]


def paths(backend):
    return [asked.path for asked in backend.asked if not asked.path.endswith("/models")]


@pytest.mark.parametrize(("path", "body"), BOTH)
def test_a_backend_that_has_the_route_answers_itself(path, body, lm_studio, client_of):
    backend = lm_studio("v1", responses=replies(b'{ "id": 1 }'), messages=replies(b'{ "id": 1 }'))
    sent = json.dumps(body, indent=1).encode()
    answer = client_of(backend).post(path, data=sent)
    assert (answer.status_code, answer.data) == (200, b'{ "id": 1 }')
    assert (paths(backend), backend.asked[-1].body) == ([path], sent)


@pytest.mark.parametrize("generation", ["v0", "openai"])
@pytest.mark.parametrize(("path", "body"), BOTH)
def test_an_old_backend_is_only_asked_for_a_chat(path, body, generation, lm_studio, client_of):
    backend = lm_studio(generation, streams("Hel", "lo"))
    answer = client_of(backend).post(path, json=body)
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert paths(backend) == ["/v1/chat/completions"]


@pytest.mark.parametrize(("path", "body"), BOTH)
def test_a_backend_that_says_it_lacks_the_route_is_not_asked_for_it_again(path, body, lm_studio, client_of):
    backend = lm_studio("v1", streams("Hel", "lo"))
    client = client_of(backend)
    answers = [client.post(path, json=body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert paths(backend) == [path, "/v1/chat/completions", "/v1/chat/completions"]


def test_a_backend_that_was_away_is_asked_again(lm_studio, app_of):
    backend = lm_studio("v1", streams("Hel", "lo"))
    app = app_of(backend)
    app.test_client().post("/v1/responses", json=RESPONSES)
    services_of(app).backend.catalogue.lost()
    app.test_client().post("/v1/responses", json=RESPONSES)
    assert paths(backend).count("/v1/responses") == 2


def test_what_lm_studio_refuses_about_system_turns_is_put_right(lm_studio, client_of):
    backend = lm_studio("v1", messages=replies({"id": 1}))
    body = {**MESSAGES, "messages": [*HI, {"role": "system", "content": "Be kind."}], "tool_choice": {"type": "auto"}}
    client_of(backend).post("/v1/messages?beta=true", json=body)
    assert backend.asked[-1].path == "/v1/messages?beta=true"
    assert backend.asked[-1].json == {**body, "system": [{"type": "text", "text": "Be kind."}], "messages": HI}


@pytest.mark.parametrize(("path", "body"), BOTH)
@pytest.mark.parametrize("generation", ["v1", "v0"])
def test_a_name_of_the_users_own_brings_its_system_prompt(path, body, generation, lm_studio, client_of):
    backend = lm_studio(generation, streams("Hi"), responses=replies({}), messages=replies({}))
    client = client_of(backend)
    client.post("/api/create", json={"model": "rumpel", "from": "tiny", "system": "You are Rumpel."})
    assert client.post(path, json={**body, "model": "rumpel"}).status_code == 200
    assert b"You are Rumpel." in backend.asked[-1].body


@pytest.mark.parametrize("generation", ["v1", "v0"])
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
def test_messages_are_checked_whoever_answers_them(body, status, text, generation, lm_studio, client_of):
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
