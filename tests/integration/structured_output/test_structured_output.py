"""Answers that must match a schema: the engine gets one that it can read, and a wrong whole answer one more attempt."""

from __future__ import annotations

import json
import logging

import pytest
from support.answers import replies, sse, streams
from support.fake_lmstudio import CHAT, CRASHED, WHOLE, Status
from support.protocols import PROTOCOLS

SCHEMA = {"type": "object", "properties": {"age": {"$ref": "#/$defs/Age"}}, "required": ["age"]}
SCHEMA["$defs"] = {"Age": {"type": "integer", "multipleOf": 2}}
SENT = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
FORMAT = {"type": "json_schema", "name": "person", "schema": SCHEMA}
WANTED = {
    "/api/chat": {"format": SCHEMA},
    "/api/generate": {"format": SCHEMA},
    "/v1/chat/completions": {
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    },
    "/v1/responses": {"text": {"format": FORMAT}},
    "/v1/messages": {"output_config": {"format": FORMAT}},
}
GOOD, BAD = '{"age": 4}', '{"age": 3}'
TRANSLATED = PROTOCOLS[0]
FORWARDED = PROTOCOLS[2]
BOTH = pytest.mark.parametrize("protocol", [TRANSLATED, FORWARDED], ids=lambda protocol: protocol.name)


def answer_with(studio, *texts, reason="stop"):
    """Answer each chat with the next text, whole or streamed as it is asked for."""
    left = list(texts)

    def reply(asked):
        if asked.path != CHAT:
            return None
        text = left.pop(0)
        if isinstance(text, Status):
            return text
        usage = {"prompt_tokens": 10 - len(left), "completion_tokens": 2}
        if not asked.json.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reason}
            return replies(WHOLE | {"choices": [choice], "usage": usage})
        last = sse({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        return streams(text, last + sse({"choices": [], "usage": usage}) + b"data: [DONE]\n\n", ends=False)

    studio.answer = reply


def ask(client, protocol, *, stream=False, **more):
    return protocol.ask(client, stream=stream, **WANTED[protocol.path], **more)


@pytest.fixture(autouse=True)
def _quiet(studio):
    yield
    studio.answer = None


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_wrong_answer_gets_one_more_attempt(protocol, studio, client):
    answer_with(studio, BAD, GOOD)
    outcome = ask(client, protocol)
    assert (outcome.status, outcome.text) == (200, GOOD)
    first, second = studio.posted(CHAT)
    assert first["response_format"]["json_schema"]["schema"] == SENT
    assert [turn["role"] for turn in second["messages"][-2:]] == ["assistant", "user"]
    assert "3 is not a multiple of 2" in second["messages"][-1]["content"]


@BOTH
def test_answer_that_stays_invalid_is_sent_unchanged(protocol, studio, client, caplog):
    answer_with(studio, "Sure!", BAD)
    assert ask(client, protocol).text == BAD
    assert caplog.text.count("does not match the schema of its request") == 2
    assert "Sure" not in caplog.text


def test_the_first_attempt_counts_in_the_total_duration_only(studio, client):
    answer_with(studio, GOOD)
    usual, seconds = studio.answer, 1.0
    studio.answer = lambda asked: streams(BAD, seconds) if studio.paths() == [f"POST {CHAT}"] else usual(asked)
    body = TRANSLATED.body(**WANTED["/api/chat"]) | {"stream": False}
    answer = client.post("/api/chat", json=body).json
    assert answer["message"]["content"] == GOOD
    assert answer["total_duration"] > seconds * 1e9
    assert max(answer[f"{phase}_duration"] for phase in ("load", "prompt_eval", "eval")) < seconds * 1e9


@BOTH
def test_failed_second_attempt_leaves_the_first_answer(protocol, studio, client):
    answer_with(studio, BAD, CRASHED)
    assert ask(client, protocol).text == BAD


@BOTH
@pytest.mark.parametrize(("stream", "reason"), [(True, "stop"), (False, "length")])
def test_streamed_and_cut_answers_are_sent_as_they_are(protocol, stream, reason, studio, client):
    answer_with(studio, BAD, GOOD, reason=reason)
    assert ask(client, protocol, stream=stream).text == BAD
    assert len(studio.posted(CHAT)) == 1


def test_any_object_is_enough_for_json_mode(studio, client):
    answer_with(studio, "Sure!", BAD)
    assert FORWARDED.ask(client, stream=False, response_format={"type": "json_object"}).text == BAD


@BOTH
def test_client_that_disconnects_ends_the_second_attempt(protocol, studio, client):
    answer_with(studio, BAD)
    usual = studio.answer
    studio.answer = lambda asked: usual(asked) if len(studio.posted(CHAT)) < 2 else (lambda peer: peer.hold())
    is_gone = {"waitress.client_disconnected": lambda: len(studio.posted(CHAT)) > 1}
    body = protocol.body(**WANTED[protocol.path]) | {"stream": False}
    assert client.post(protocol.path, json=body, environ_overrides=is_gone).status_code == 499


def test_keywords_that_are_left_out_are_in_the_log(studio, client, caplog):
    caplog.set_level(logging.DEBUG, "flask_shim")
    answer_with(studio, GOOD)
    ask(client, TRANSLATED)
    assert "response_format.multipleOf" in caplog.text


def test_json_in_the_thinking_of_a_forwarded_chat_is_its_text(studio, client):
    message = {"role": "assistant", "content": "", "reasoning_content": GOOD}
    studio.answers[CHAT] = replies(WHOLE | {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
    assert ask(client, FORWARDED).text == GOOD
    assert len(studio.posted(CHAT)) == 1


def test_structured_answer_is_not_merged_with_thinking(shim, studio):
    studio.answers[CHAT] = streams(f"<think>Hm</think>{GOOD}")
    outcome = ask(shim(studio.url, reasoning="merge"), TRANSLATED)
    assert (json.loads(outcome.text), outcome.thinking) == (json.loads(GOOD), "Hm")
