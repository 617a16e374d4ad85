"""A prompt that does not fit is refused with the numbers, in the words of the route, however LM Studio reports it."""

from __future__ import annotations

import pytest
from support.answers import replies, sse, streams
from support.fake_lmstudio import CHAT, COMPLETIONS
from support.protocols import PROTOCOLS

ENGINE_ERROR = {
    "code": 400,
    "message": "request (8810 tokens) exceeds the available context size (8192 tokens), try increasing it",
    "type": "exceed_context_size_error",
    "n_prompt_tokens": 8810,
    "n_ctx": 8192,
}
OVERFLOW = sse({"error": ENGINE_ERROR})
ROLE_ONLY = sse({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]})
WORDS = {
    "/api/chat": "maximum context length is 8192 tokens, prompt has 8810",
    "/api/generate": "maximum context length is 8192 tokens, prompt has 8810",
    "/v1/messages": "prompt is too long: 8810 tokens > 8192 maximum",
}
OPENAI_WORDS = "This model's maximum context length is 8192 tokens. However, your messages resulted in 8810 tokens."
PARAMS = {"/v1/chat/completions": "messages", "/v1/responses": "input"}
EARLY = {
    "status": replies({"error": ENGINE_ERROR}, "400 Bad Request"),
    "event after an empty one": streams(ROLE_ONLY, OVERFLOW, ends=False),
}


def assert_is_overflow(outcome, path):
    assert WORDS.get(path, OPENAI_WORDS) in outcome.error
    if path in PARAMS:
        assert outcome.code == "context_length_exceeded"


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
@pytest.mark.parametrize("answer", EARLY.values(), ids=EARLY.keys())
def test_overflow_before_the_answer_is_a_400_with_numbers(answer, protocol, stream, studio, client):
    studio.answers[CHAT] = answer
    outcome = protocol.ask(client, stream=stream)
    assert (outcome.status, outcome.param) == (400, PARAMS.get(protocol.path))
    assert_is_overflow(outcome, protocol.path)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_overflow_inside_a_stream_is_one_error_of_the_same_text(protocol, studio, client):
    studio.answers[CHAT] = streams("Hel", OVERFLOW, ends=False)
    outcome = protocol.ask(client, stream=True)
    assert (outcome.status, outcome.is_complete) == (200, False)
    assert_is_overflow(outcome, protocol.path)


def test_tokens_of_a_prompt_that_does_not_fit_are_counted(studio, client):
    studio.answers[CHAT] = EARLY["status"]
    body = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}]}
    assert client.post("/v1/messages/count_tokens", json=body).json == {"input_tokens": 8810}


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_empty_text_completion_beyond_the_context_is_a_400(stream, studio, client):
    usage = {"prompt_tokens": 5000, "completion_tokens": 0}
    choice = {"index": 0, "text": "", "finish_reason": "stop"}
    end = sse({"choices": [choice], "usage": usage}) + b"data: [DONE]\n\n"
    studio.answers[COMPLETIONS] = streams(end, ends=False) if stream else replies({"choices": [choice], "usage": usage})
    answer = client.post(COMPLETIONS, json={"model": "tiny", "prompt": "hi", "stream": stream})
    error = answer.json["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "context_length_exceeded", "prompt")


LIMITS = {
    "/api/chat": {"options": {"num_predict": 32_000}},
    "/api/generate": {"options": {"num_predict": 32_000}},
    "/v1/chat/completions": {"max_completion_tokens": 32_000},
    "/v1/responses": {"max_output_tokens": 32_000},
    "/v1/messages": {"max_tokens": 32_000},
}
TOO_LARGE = (
    "'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum context length is 32768 tokens "
    "and your request has 17459 input tokens (32000 > 32768 - 17459). (parameter=max_tokens, value=32000)"
)
REJECTION = replies({"error": {"message": TOO_LARGE, "type": "BadRequestError", "code": 400}}, "400 Bad Request")


def is_limited(asked):
    return not {"max_tokens", "max_completion_tokens"}.isdisjoint(asked.json)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_a_limit_above_the_rest_of_the_context_does_not_count_on_other_servers(protocol, stream, studio, client):
    studio.calm("openai")
    studio.answer = lambda asked: REJECTION if is_limited(asked) else None
    outcome = protocol.ask(client, stream=stream, **LIMITS[protocol.path])
    assert (outcome.status, outcome.text, outcome.is_complete) == (200, "Hello world", True)
    assert [is_limited(asked) for asked in studio.asked if asked.path == CHAT] == [True, False]


@pytest.mark.parametrize("version", ["openai", "v1"])
def test_a_prompt_that_does_not_fit_without_a_limit_either_is_a_400(version, studio, client):
    studio.calm(version)
    studio.answers[CHAT] = EARLY["status"]
    outcome = PROTOCOLS[0].ask(client, stream=True, **LIMITS["/api/chat"])
    assert (outcome.status, len(studio.posted(CHAT))) == (400, 2 if version == "openai" else 1)
    assert_is_overflow(outcome, "/api/chat")


@pytest.mark.parametrize(("version", "sent"), [("openai", None), ("v1", 300)])
def test_only_lm_studio_gets_its_ttl(version, sent, studio, client):
    studio.calm(version)
    assert PROTOCOLS[0].ask(client, stream=True, keep_alive="5m").text == "Hello world"
    assert [body.get("ttl") for body in studio.posted(CHAT)] == [sent]
