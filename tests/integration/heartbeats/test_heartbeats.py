"""A silent stream gets what its clients ignore, and is otherwise the answer that it would have been."""

from __future__ import annotations

import json

import pytest
from support.answers import replies, silent, sse, streams
from support.fake_lmstudio import CHAT, COLD, COMPLETIONS, LOAD

USER = {"role": "user", "content": "hi"}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


def chat(**more):
    return {"model": "tiny", "messages": [USER], "stream": True, **more}


STREAMS = {
    "/api/chat": (chat(), b'"message":{"role":"assistant","content":""},"done":false}\n', b'"done":true'),
    "/api/generate": ({"model": "tiny", "prompt": "hi"}, b'"response":"","done":false}\n', b'"done":true'),
    "/v1/chat/completions": (chat(), b": heartbeat\n\n", b"data: [DONE]\n\n"),
    "/v1/completions": ({"model": "tiny", "prompt": "hi", "stream": True}, b": heartbeat\n\n", b"data: [DONE]\n\n"),
    "/v1/responses": (
        {"model": "tiny", "input": "hi", "stream": True},
        b"event: response.in_progress\n",
        b"event: response.completed\n",
    ),
    "/v1/messages": (chat(max_tokens=9), b'event: ping\ndata: {"type":"ping"}\n\n', b"event: message_stop\n"),
    "/chat/stream": ({"messages": [USER], "model_key": "tiny"}, b'{"type":"fragment","content":""}\n', b'"done"'),
}

PATHS = [pytest.param(path, *row, id=path) for path, row in STREAMS.items()]


@pytest.mark.parametrize(("path", "body", "heartbeat", "end"), PATHS)
def test_silence_before_the_answer_is_filled(path, body, heartbeat, end, stream, studio, gate):
    studio.answers[CHAT] = studio.answers[COMPLETIONS] = lambda peer: (gate(peer), streams("Hel", "lo")(peer))
    answer = stream(path, body)
    answer.until_times(heartbeat, 3)
    assert b"Hel" not in answer.received
    gate.open()
    answer = answer.answer()
    assert (answer.status, answer.is_whole) == (200, True)
    assert b"Hel" in answer.body
    assert answer.body.count(end) == 1
    assert answer.headers["x-accel-buffering"] == "no"


@pytest.mark.parametrize(("path", "body", "heartbeat", "end"), PATHS)
def test_silence_within_the_answer_is_filled(path, body, heartbeat, end, stream, studio, gate):
    studio.answers[CHAT] = studio.answers[COMPLETIONS] = streams("Hel", gate, "lo")
    answer = stream(path, body)
    answer.until(b"Hel")
    answer.until_times(heartbeat, 3)
    gate.open()
    answer = answer.answer()
    assert (answer.status, answer.is_whole, answer.body.count(end)) == (200, True, 1)


def test_events_of_a_response_stay_numbered(stream, studio, gate):
    studio.answers[CHAT] = streams("Hel", gate, "lo")
    body, heartbeat, _ = STREAMS["/v1/responses"]
    answer = stream("/v1/responses", body)
    answer.until_times(heartbeat, 3)
    gate.open()
    events = [json.loads(line[6:]) for line in answer.answer().body.split(b"\n") if line.startswith(b"data: ")]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]


def test_wait_for_a_load_and_for_the_turn_is_filled(stream, studio):
    """The first request makes the shim load the model; the second one waits for its turn."""
    studio.may_load.clear()
    heartbeat = STREAMS["/api/chat"][1]
    answers = [stream("/api/chat", chat(model=COLD, options={"num_ctx": 8000})) for _ in range(2)]
    for answer in answers:
        answer.until_times(heartbeat, 2)
    studio.may_load.set()
    for answer in answers:
        assert answer.answer().lines[-1]["done"] is True
    assert len(studio.posted(LOAD)) == 1


def test_tool_call_that_is_collected_is_filled(stream, studio, gate):
    """LM Studio is not silent here, but nothing can be sent before the call is complete."""

    def part(**function):
        call = {"index": 0, "id": "c1", "type": "function", "function": function}
        return sse({"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]})

    def pieces(peer):
        while not gate._opened.wait(0.01):
            peer.chunk(part(arguments=" "))

    studio.answers[CHAT] = streams(part(name="look", arguments="{"), pieces, part(arguments="}"))
    answer = stream("/api/chat", chat(tools=[TOOL]))
    answer.until_times(STREAMS["/api/chat"][1], 2)
    gate.open()
    (call,) = [line["message"]["tool_calls"] for line in answer.answer().lines if "tool_calls" in line["message"]]
    assert call[0]["function"] == {"index": 0, "name": "look", "arguments": {}}


REFUSAL = replies({"error": {"message": "no such thing"}}, "400 Bad Request")
ERRORS = {
    "/api/chat": b'{"error":"no such thing"}\n',
    "/v1/chat/completions": b'data: {"error":{"message":"no such thing"',
    "/v1/responses": b"event: response.failed\n",
    "/v1/messages": b"event: error\n",
}


@pytest.mark.parametrize("path", ERRORS)
def test_error_after_a_heartbeat_is_the_one_error_of_the_protocol(path, stream, studio, gate):
    studio.answers[CHAT] = lambda peer: (gate(peer), REFUSAL(peer))
    body, heartbeat, _ = STREAMS[path]
    answer = stream(path, body)
    answer.until(heartbeat)
    gate.open()
    answer = answer.answer()
    assert (answer.status, answer.is_whole) == (200, True)
    assert answer.body.count(ERRORS[path]) == 1
    assert answer.body.rindex(ERRORS[path]) > answer.body.rindex(heartbeat)


def test_answer_that_is_no_stream_cannot_follow_a_heartbeat(stream, studio, gate):
    studio.answers[CHAT] = lambda peer: (gate(peer), replies({"choices": [{"message": {"content": "Hi"}}]})(peer))
    answer = stream("/v1/chat/completions", chat())
    answer.until(b": heartbeat\n\n")
    gate.open()
    assert b'"message":"LM Studio\'s answer is not a stream"' in answer.answer().body


@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions"])
@pytest.mark.parametrize("answer", [silent, streams("one", lambda peer: peer.hold())], ids=["before", "within"])
def test_disconnect_between_heartbeats_frees_the_model(path, answer, stream, studio):
    studio.answers[CHAT] = answer
    body, heartbeat, _ = STREAMS[path]
    opened = stream(path, body)
    opened.until(heartbeat)
    opened.sock.close()
    studio.until(lambda: not studio.open_at(CHAT), 1.0)


def test_client_that_fails_at_comments_gets_none(stream, studio):
    studio.answers[CHAT] = streams(0.3, "Hello")
    answer = stream("/v1/chat/completions", chat(), headers={"User-Agent": "mistral-vibe/1.2"}).answer()
    assert answer.body.startswith(b"data: ")
    assert b"heartbeat" not in answer.body


def test_whole_answers_get_nothing(stream, studio):
    studio.answers[CHAT] = streams(0.3, "Hello")
    assert stream("/api/chat", chat(stream=False)).answer().json["message"]["content"] == "Hello"


def test_response_that_a_heartbeat_begins_has_the_headers_of_any_other(stream, studio, gate):
    studio.answers[CHAT] = lambda peer: (gate(peer), streams("Hi")(peer))
    origin = {"Origin": "http://localhost:3000", "X-Request-ID": "mine"}
    answer = stream("/api/chat", chat(), headers=origin)
    answer.until(STREAMS["/api/chat"][1])
    gate.open()
    silent_one = answer.answer().headers
    quick_one = stream("/api/chat", chat(), headers=origin).answer().headers
    assert {**silent_one, "date": ""} == {**quick_one, "date": ""}


PROGRESS = {
    "/api/chat": b'"content":"","thinking":"reading the prompt\\n"',
    "/v1/chat/completions": b'"reasoning_content":"reading the prompt\\n"',
    "/v1/responses": b'"delta":"reading the prompt\\n"',
    "/v1/messages": b'"thinking":"reading the prompt\\n"',
    "/v1/completions": b": heartbeat\n\n",
}


@pytest.mark.parametrize("path", PROGRESS)
def test_progress_is_shown_as_thinking_where_the_protocol_has_it(path, progress_stream, studio, gate):
    studio.answers[CHAT] = studio.answers[COMPLETIONS] = lambda peer: (gate(peer), streams("Hello")(peer))
    body, _, end = STREAMS[path]
    answer = progress_stream(path, body)
    answer.until_times(PROGRESS[path], 2)
    gate.open()
    assert answer.answer().body.count(end) == 1
