"""What is refused and put right on OpenAI's routes before LM Studio sees it."""

from __future__ import annotations

import json

import pytest
from support.answers import model

HI = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("chat/completions", b"", 400, "EOF"),
        ("chat/completions", b"{", 400, "unexpected EOF"),
        (
            "chat/completions",
            [],
            400,
            "json: cannot unmarshal array into Go value of type openai.ChatCompletionRequest",
        ),
        ("chat/completions", {"model": "tiny"}, 400, "[] is too short - 'messages'"),
        ("chat/completions", {"model": "tiny", "messages": []}, 400, "[] is too short - 'messages'"),
        ("chat/completions", {"messages": HI}, 400, "model is required"),
        ("chat/completions", {"model": None, "messages": HI}, 400, "model is required"),
        ("chat/completions", {"model": "nope", "messages": HI}, 404, "model 'nope' not found"),
        (
            "chat/completions",
            {"model": 5, "messages": HI},
            400,
            "json: cannot unmarshal number into Go struct field ChatCompletionRequest.model of type string",
        ),
        ("completions", b"", 400, "EOF"),
        ("completions", {"prompt": "hi"}, 404, "model '' not found"),
        ("completions", {"model": "nope", "prompt": "hi"}, 404, "model 'nope' not found"),
        ("completions", {"model": "tiny", "stop": [1]}, 400, "invalid type for 'stop' field: float64"),
    ],
)
def test_a_request_is_refused_as_by_ollama(path, body, status, text, client, backend):
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.post(f"/v1/{path}", data=sent)
    kind = {400: "invalid_request_error", 404: "not_found_error"}[status]
    assert answer.status_code == status
    assert answer.json == {"error": {"message": text, "type": kind, "param": None, "code": None}}
    assert not [asked for asked in backend.asked if asked.path.startswith("/v1/")]


@pytest.mark.parametrize("context", ["4096", "many", [4096], {"tokens": 4096}, True, 1.5])
def test_a_context_that_is_no_number_of_tokens_is_left_to_lm_studio(client, backend, context):
    answer = client.post("/api/v1/chat", json={"model": "tiny", "input": "hi", "context_length": context})
    assert (answer.status_code, backend.asked[-1].json["context_length"]) == (200, context)


def test_an_effort_is_mapped_to_one_of_lm_studios(client, backend):
    client.post("/v1/chat/completions", json={"model": "tiny", "messages": HI, "reasoning": {"effort": "max"}})
    assert backend.asked[-1].json["reasoning_effort"] == "high"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("chat/completions", {"messages": HI, "reasoning_effort": "zip"}),
        ("chat/completions", {"messages": HI, "reasoning": {"effort": "zip"}, "stream": True}),
        ("responses", {"input": "hi", "reasoning": {"effort": "zip"}}),
        ("responses", {"input": "hi", "reasoning": {"effort": "zip"}, "previous_response_id": "resp_abc"}),
    ],
)
def test_an_unknown_effort_is_refused(client, path, body):
    answer = client.post(f"/v1/{path}", json={"model": "tiny", **body})
    assert answer.status_code == 400
    assert answer.json["error"]["message"].startswith('invalid reasoning value: "zip"')


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("chat/completions", {"messages": HI, "reasoning_effort": "high"}),
        ("responses", {"input": "hi", "reasoning": {"effort": "high"}}),
        ("messages", {"messages": HI, "max_tokens": 5, "thinking": {"type": "enabled", "budget_tokens": 2000}}),
    ],
)
def test_an_effort_for_a_model_that_cannot_think_is_left_out(client, backend, models, caplog, path, body):
    models.append(model("thinker", capabilities={"reasoning": {"default": "on"}}))
    caplog.set_level("DEBUG", logger="flask_shim.observability.access_log")
    answer = client.post(f"/v1/{path}", json={"model": "tiny", **body})
    assert answer.status_code == 200
    answer.close()
    sent = backend.asked[-1].json
    assert not {"reasoning", "reasoning_effort"} & set(sent)
    assert " dropped=reasoning_effort" in caplog.text


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_mcp_servers_of_a_client_are_refused(path, client):
    ask = {"model": "tiny", "max_tokens": 5, "messages": HI, "mcp_servers": [{"url": "http://x"}]}
    answer = client.post(path, json=ask)
    assert (answer.status_code, answer.json["error"]["type"]) == (403, "permission_error")


def test_the_default_context_counts_where_a_client_cannot_say(shim, backend, models):
    models[0]["loaded_instances"] = []
    models[0]["max_context_length"] = 32768
    client = shim(default_context=16384)
    client.post("/v1/chat/completions", json={"model": "tiny", "messages": HI})
    assert backend.asked_for("/api/v1/models/load")[0].json["context_length"] == 16384
