"""The same backend answer has the same meaning on every protocol, streamed or whole."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from support.answers import END, replies, sse, streams
from support.fake_lmstudio import CHAT, COMPLETIONS
from support.protocols import PROTOCOLS

from flask_shim.lmstudio.api_versions import ApiVersion

FORWARDED = next(protocol for protocol in PROTOCOLS if protocol.path == CHAT)
TRANSLATED = [protocol for protocol in PROTOCOLS if protocol is not FORWARDED]
"""Answers on that route are LM Studio's, byte for byte except for faulty tool calls and split characters."""

NEWEST = pytest.mark.parametrize("pair", [ApiVersion.V1], indirect=True, ids=["v1"])
"""Once, because the API version decides only what lists tell; tests without it run on every version."""

LOOK = ("look", {"at": "door"})


def thought(text):
    return sse({"choices": [{"index": 0, "delta": {"reasoning_content": text}, "finish_reason": None}]})


def call(**function):
    delta = {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": function}]}
    return sse({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})


def finish(reason, **usage):
    counts = sse({"choices": [], "usage": usage}) if usage else b""
    return sse({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}) + counts + b"data: [DONE]\n\n"


@dataclass
class Expected:
    text: str = ""
    thinking: str = ""
    calls: list[Any] = field(default_factory=list)


JSON_CALL = '<tool_call>{"name": "look", "arguments": {"at": "door"}}</tool_call>'
XML_CALL = "<function=look><parameter=at>door</parameter></function>"
GLM_CALL = "<tool_call>look\n<arg_key>at</arg_key>\n<arg_value>door</arg_value>\n</tool_call>"

ANSWERS = {
    "text": (streams("Hel", "lo"), Expected("Hello")),
    "reasoning_content": (streams(thought("Hm. "), thought("So."), "Yes"), Expected("Yes", "Hm. So.")),
    "think tags in the text": (streams("<thi", "nk>Hm", "</think>", "\n\nYes"), Expected("Yes", "Hm")),
    "channel marks of Gemma": (streams("<|channel>thought\n", "Hm\n", "<channel|>", "Yes"), Expected("Yes", "Hm")),
    "tool call in pieces": (streams(call(name="look", arguments='{"at":'), call(arguments='"door"}')), LOOK),
    "tool call with an object": (streams(call(name="look", arguments={"at": "door"})), LOOK),
    "tool call in text, JSON": (streams(JSON_CALL), LOOK),
    "tool call in text, one character an event": (streams(*JSON_CALL), LOOK),
    "tool call in text, XML": (streams("<tool_call>" + XML_CALL + "</tool_call>"), LOOK),
    "tool call in text, GLM": (streams(*GLM_CALL.splitlines(keepends=True)), LOOK),
    "XML arguments of a native call": (streams(call(name="look", arguments=XML_CALL)), LOOK),
    "pairs as arguments of a native call": (
        streams(call(name="look", arguments="<arg_key>at</arg_key>"), call(arguments="<arg_value>door</arg_value>")),
        LOOK,
    ),
    "tool call after a mention of its tag": (streams("I use <tool_call>.\n", JSON_CALL), LOOK),
    "tool call at the end of thinking": (streams(thought("I look. "), thought(JSON_CALL)), LOOK),
    "XML tool call at the end of thinking": (streams(thought(f"Hm\n<tool_call>{XML_CALL}</tool_call>\n")), LOOK),
    "tool call after text": (streams("I look. ", call(name="look", arguments='{"at": "door"}')), LOOK),
    "unnamed tool call": (streams("Hi", call(name="", arguments="{}")), Expected("Hi")),
    "tool call without a name": (streams("Hi", call(arguments="{}")), Expected("Hi")),
    "tags mentioned in thinking": (
        streams(thought(f"I could write {JSON_CALL} but do not."), "Hi"),
        Expected("Hi", f"I could write {JSON_CALL} but do not."),
    ),
    "tag mentioned in thinking": (streams(thought("Not <tool_call>."), "Hi"), Expected("Hi", "Not <tool_call>.")),
    "tool call in thinking before text": (streams(thought(JSON_CALL), "Hi"), Expected("Hi", JSON_CALL)),
    "comment and unknown fields": (
        streams(b": ping\n\n", sse({"choices": [{"delta": {"content": "Hi", "x": 1}}], "y": 2})),
        Expected("Hi"),
    ),
}


CASES = [
    pytest.param(answer, expected, protocol, id=f"{name}-{protocol.name}")
    for name, (answer, expected) in ANSWERS.items()
    for protocol in TRANSLATED
    if expected is not LOOK or protocol.path != "/api/generate"  # which has no tools
]


@NEWEST
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("answer", "expected", "protocol"), CASES)
def test_answer_means_the_same_everywhere(answer, expected, protocol, stream, studio, client):
    studio.answers |= {CHAT: answer, COMPLETIONS: answer}
    outcome = protocol.ask(client, stream=stream, tools=("look",))
    assert (outcome.status, outcome.error, outcome.is_complete) == (200, "", True)
    if expected is LOOK:
        assert outcome.calls == [LOOK]
        assert outcome.finish in {"stop", "tool_calls", "tool_use", "completed"}
    else:
        assert (outcome.text, outcome.thinking, outcome.calls) == (expected.text, expected.thinking, [])


def test_halves_of_a_character_in_two_events_are_joined(studio, client):
    studio.answers[CHAT] = streams(
        *(thought("Hm \ud83d"), thought("\ude00"), "a\ud83d", "\ude00b"),
        *(call(name="look", arguments='{"at": "\ud83d'), call(arguments='\ude00"}')),
    )
    outcome = PROTOCOLS[0].ask(client, stream=True, tools=("look",))
    assert (outcome.text, outcome.thinking, outcome.calls) == ("a😀b", "Hm 😀", [("look", {"at": "😀"})])
    body = FORWARDED.body(stream=True)
    forwarded = client.post(CHAT, json=body, buffered=True).data
    events = [orjson.loads(line[6:]) for line in forwarded.splitlines() if line.startswith(b"data: {")]
    deltas = [choice["delta"] for event in events for choice in event["choices"]]
    assert [delta.get("content") or delta.get("reasoning_content") for delta in deltas[:4]] == ["Hm ", "😀", "a", "😀b"]
    assert [each["tool_calls"][0]["function"]["arguments"] for each in deltas[4:6]] == ['{"at": "', '😀"}']


def test_call_without_a_name_is_in_the_log(studio, client, caplog):
    caplog.set_level(logging.DEBUG, "flask_shim")
    studio.answers[CHAT] = streams("Hi", call(name="", arguments="{}"))
    PROTOCOLS[0].ask(client, stream=True, tools=("look",))
    assert "dropped tool calls without a name: 1" in caplog.text


def test_faulty_calls_of_a_forwarded_chat_are_repaired(studio, client):
    for answer in (streams(thought("Hm. "), thought(JSON_CALL)), streams(call(name="look", arguments=XML_CALL))):
        studio.answers[CHAT] = answer
        outcome = FORWARDED.ask(client, stream=True, tools=("look",))
        assert (outcome.calls, outcome.finish, outcome.is_complete) == ([LOOK], "tool_calls", True)
    message = {"role": "assistant", "content": "", "reasoning_content": JSON_CALL}
    studio.answers[CHAT] = replies({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
    outcome = FORWARDED.ask(client, stream=False, tools=("look",))
    assert (outcome.calls, outcome.finish) == ([LOOK], "tool_calls")


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_empty_forwarded_chat_beyond_the_context_is_a_400(stream, studio, client):
    usage = {"prompt_tokens": 5000, "completion_tokens": 0}
    message = {"role": "assistant", "content": ""}
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}
    studio.answers[CHAT] = streams(finish("stop", **usage), ends=False) if stream else replies(whole)
    outcome = FORWARDED.ask(client, stream=stream)
    if studio.version is ApiVersion.OPENAI:  # its lists do not tell the context
        assert (outcome.status, outcome.is_complete) == (200, True)
    else:
        assert (outcome.status, outcome.code) == (400, "context_length_exceeded")


def refusal(status, error):
    return replies({"error": error}, status)


OVERFLOW = "Context size has been exceeded."
ENGINE = "Engine protocol predict request returned 400: "
NESTED = json.dumps({"error": {"code": 400, "message": "Failed to parse grammar", "type": "invalid_request_error"}})

REJECTIONS = {
    "overflow as an event": (streams(sse({"error": {"message": OVERFLOW}}), ends=False), "context"),
    "overflow as text": (streams(sse({"error": OVERFLOW}), ends=False), "context"),
    "overflow as a named event": (
        streams(b"event: error\n" + sse({"error": {"type": "internal_error", "message": OVERFLOW}}), ends=False),
        "context",
    ),
    "overflow in a 500": (refusal("500 Internal Server Error", {"message": ENGINE + OVERFLOW}), "context"),
    "overflow of llama.cpp": (
        refusal(
            "400 Bad Request",
            {
                "type": "exceed_context_size_error",
                "message": "the request exceeds the available context size",
                "n_prompt_tokens": 9000,
                "n_ctx": 4096,
            },
        ),
        "context",
    ),
    "nested refusal of the engine in a 500": (refusal("500 Internal Server Error", ENGINE + NESTED), "grammar"),
    "nested refusal of the engine as an event": (
        streams(sse({"error": {"message": ENGINE + NESTED}}), ends=False),
        "grammar",
    ),
    "refused parameter": (
        refusal("400 Bad Request", {"message": "Invalid", "param": "messages[0].content", "code": "invalid_type"}),
        "messages[0].content",
    ),
    "refused with text only": (refusal("400 Bad Request", "Invalid 'messages' in payload"), "Invalid 'messages'"),
    "server error for a wrong type": (
        refusal("500 Internal Server Error", "[Server Error] _0x48eeaf is not iterable"),
        "is not iterable",
    ),
    "unprocessable": (refusal("422 Unprocessable Entity", {"message": "tools.0 is wrong"}), "tools.0"),
}


@NEWEST
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
@pytest.mark.parametrize(("answer", "text"), REJECTIONS.values(), ids=REJECTIONS.keys())
def test_fault_of_the_request_is_a_4xx_everywhere(answer, text, protocol, stream, studio, client):
    studio.answers |= {CHAT: answer, COMPLETIONS: answer}
    outcome = protocol.ask(client, stream=stream)
    assert 400 <= outcome.status < 500
    said = f"{outcome.error} {outcome.code} {outcome.param}"
    assert text in said or (text == "context" and "prompt is too long" in said)


FAULTS = {
    "stream without an end": streams("Hel", ends=False),
    "stream cut inside an event": streams("Hel", b'data: {"choices": [{"delta', ends=False),
    "error after text": streams("Hel", sse({"error": {"message": "The model has crashed"}}), ends=False),
    "not JSON in an event": streams("Hel", b"data: {nonsense\n\n", END),
}


@NEWEST
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("protocol", TRANSLATED, ids=lambda protocol: protocol.name)
@pytest.mark.parametrize("answer", FAULTS.values(), ids=FAULTS.keys())
def test_broken_answer_is_one_error_everywhere(answer, protocol, stream, studio, client):
    studio.answers |= {CHAT: answer, COMPLETIONS: answer}
    outcome = protocol.ask(client, stream=stream)
    assert outcome.error
    assert not outcome.is_complete
    assert (outcome.status == 200) == stream


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("protocol", TRANSLATED, ids=lambda protocol: protocol.name)
@pytest.mark.parametrize("prompt_tokens", [4097, 30_000])
def test_empty_answer_to_a_prompt_beyond_the_context_is_a_400(prompt_tokens, protocol, stream, studio, client):
    answer = streams(finish("stop", prompt_tokens=prompt_tokens, completion_tokens=0), ends=False)
    studio.answers |= {CHAT: answer, COMPLETIONS: answer}
    outcome = protocol.ask(client, stream=stream)
    if studio.version is ApiVersion.OPENAI:  # its lists do not tell the context
        assert (outcome.status, outcome.text, outcome.is_complete) == (200, "", True)
    else:
        assert outcome.status == 400
        assert str(prompt_tokens) in outcome.error


@pytest.mark.parametrize("prompt_tokens", [3, 4000])
def test_empty_answer_to_a_prompt_that_fits_is_an_answer(prompt_tokens, studio, client):
    studio.answers[CHAT] = streams(finish("stop", prompt_tokens=prompt_tokens, completion_tokens=0), ends=False)
    outcome = PROTOCOLS[0].ask(client, stream=True)
    assert (outcome.status, outcome.text, outcome.is_complete) == (200, "", True)


def test_length_of_a_prompt_is_estimated_without_a_count(studio, client):
    studio.answers[CHAT] = streams(finish("stop"), ends=False)
    message = {"role": "user", "content": "word " * 10_000}
    outcome = PROTOCOLS[0].ask(client, stream=True, messages=[message])
    assert outcome.status == (200 if studio.version is ApiVersion.OPENAI else 400)
