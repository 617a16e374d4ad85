"""The tokens of a conversation, counted by the backend."""

from __future__ import annotations

import pytest
from support.answers import replies, silent, sse, streams

from flask_shim.services import services_of

ASK = {"model": "tiny", "system": "Be brief.", "messages": [{"role": "user", "content": "hi"}]}
PATH = "/v1/messages/count_tokens"


@pytest.mark.parametrize("generation", ["v1", "v0", "openai"])
def test_tokens_are_what_the_backend_counts(generation, lm_studio, client_of):
    backend = lm_studio(generation, streams("Hel"), messages=silent)
    answer = client_of(backend).post(f"{PATH}?beta=true", json=ASK)
    assert (answer.status_code, answer.json) == (200, {"input_tokens": 3})


def test_counting_generates_one_token_for_the_conversation(lm_studio, client_of):
    backend = lm_studio("v0", streams("Hel"))
    tool = {"name": "look", "input_schema": {"type": "object", "properties": {}}}
    client_of(backend).post(PATH, json={**ASK, "tools": [tool]})
    asked = backend.asked[-1].json
    assert asked["max_tokens"] == 1
    assert [turn["role"] for turn in asked["messages"]] == ["system", "user"]
    assert [tool["function"]["name"] for tool in asked["tools"]] == ["look"]


def test_a_backend_that_does_not_count_is_no_reason_to_invent_a_number(lm_studio, client_of):
    uncounted = sse({"choices": [{"delta": {"content": "a"}, "finish_reason": "length"}]}) + b"data: [DONE]\n\n"
    answer = client_of(lm_studio("openai", streams(uncounted, ends=False))).post(PATH, json=ASK)
    assert (answer.status_code, answer.json["error"]["type"]) == (501, "api_error")


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({**ASK, "messages": []}, 400, "messages is required"),
        ({"messages": ASK["messages"]}, 400, "model is required"),
        ({**ASK, "model": "nope"}, 404, "model 'nope' not found"),
    ],
)
def test_what_cannot_be_counted_is_refused(body, status, text, lm_studio, client_of):
    answer = client_of(lm_studio("v0")).post(PATH, json=body)
    assert (answer.status_code, answer.json["error"]["message"]) == (status, text)


def test_a_rejection_by_the_backend_is_passed_on(lm_studio, client_of):
    backend = lm_studio("v0", replies({"error": "no room"}, "400 Bad Request"))
    answer = client_of(backend).post(PATH, json=ASK)
    assert (answer.status_code, answer.json["error"]["message"]) == (400, "no room")


def test_counting_acquires_and_releases_a_slot(lm_studio, app_of):
    app = app_of(lm_studio("v0", streams("Hel")), max_streams=1)
    slots = services_of(app).slots
    with slots.take():
        assert app.test_client().post(PATH, json=ASK).status_code == 503
    assert app.test_client().post(PATH, json=ASK).status_code == 200
    assert slots.in_use == 0
