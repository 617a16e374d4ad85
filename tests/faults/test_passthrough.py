"""What is passed on: to the path that was checked, whole events at a time, and with one true end."""

from __future__ import annotations

import json
from urllib.parse import unquote

import pytest
from support.answers import END, event, replies, sse, streams
from support.checked_shim import PROMPT, chat
from support.fake_lmstudio import CHAT, COLD, DOWNLOAD, LOAD, UNLOAD
from support.peer import Peer

from flask_shim import create_app
from flask_shim.config import Config
from flask_shim.services import services_of

RESPONSES = "/v1/responses"
NATIVE_CHAT = "/api/v1/chat"

# Paths


@pytest.fixture
def read_only(studio, tmp_path):
    app = create_app(Config(backend_url=studio.url, read_only=True, data_dir=tmp_path))
    yield app.test_client()
    services_of(app).close()


def reached(studio):
    """Return what LM Studio would take the paths for that it was asked: unescaped, whatever their case."""
    return {unquote(asked.path.partition("?")[0]).lower().rstrip("/") for asked in studio.asked}


@pytest.mark.parametrize("path", [LOAD, UNLOAD, DOWNLOAD])
@pytest.mark.parametrize(
    "disguise",
    [
        str,
        str.upper,
        lambda path: path[:8] + path[8:].title(),
        lambda path: path + "/",
        lambda path: path + "%3Fx",
        lambda path: path + "%23x",
        lambda path: path.replace("load", "%256coad"),
        lambda path: path.replace("models", "./models"),
        lambda path: path.replace("models", "x/%2e%2e/models"),
        lambda path: path.replace("models", "x%2f..%2fmodels"),
        lambda path: path.replace("/models", "//models"),
    ],
)
def test_path_in_disguise_changes_no_model_of_a_read_only_shim(read_only, studio, path, disguise):
    answer = read_only.post(disguise(path), json={"model": COLD, "instance_id": "tiny"}, buffered=True)
    assert answer.status_code in (307, 403, 404)
    assert reached(studio).isdisjoint({LOAD, UNLOAD, DOWNLOAD})


@pytest.mark.parametrize("path", ["/v1/models/..%2f..%2fapi/v1/x", "/v1/x%00y", "/v1/a%2Fb%3Fc%23d%25e", "/v1/é€ x"])
def test_odd_path_is_passed_on_with_no_other_meaning(read_only, studio, path):
    assert read_only.get(path, buffered=True).status_code in (200, 404)
    for asked in studio.asked:
        assert "?" not in asked.path
        assert ".." not in unquote(asked.path).split("/")


# Streams that break


STREAM = b"".join(map(event, ["one ", "two ", "three"])) + END


def cut_after(size, *, chunked=True):
    return streams(STREAM[:size], ends=False, chunked=chunked)


def events_of(body):
    """Return the events of a stream that must be well formed to its end."""
    assert body.endswith(b"\n\n")
    payloads = [part.removeprefix(b"data: ") for part in body[:-2].split(b"\n\n")]
    return [payload if payload == b"[DONE]" else json.loads(payload) for payload in payloads]


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "until closed"])
@pytest.mark.parametrize("size", [*range(len(event("one ")), len(STREAM) - len(b"data: [DONE]\n\n"), 29)])
def test_a_forwarded_stream_cut_anywhere_ends_with_one_error_event(impatient, studio, size, chunked):
    studio.answers[CHAT] = cut_after(size, chunked=chunked)
    answer = impatient.ask("/v1/chat/completions", chat(stream=True))
    assert (answer.status, answer.is_whole) == (200, True)
    events = events_of(answer.body)
    assert events[-1]["error"]["message"] == "connection lost: LM Studio closed it before its answer was complete"
    assert all("choices" in event for event in events[:-1])


@pytest.mark.parametrize("size", [0, 1, 20, len(event("one ")) - 1])
def test_a_stream_cut_before_its_first_event_is_an_http_error(impatient, studio, size):
    studio.answers[CHAT] = cut_after(size)
    answer = impatient.ask("/v1/chat/completions", chat(stream=True))
    assert answer.status == 502
    assert answer.json["error"]["type"] == "api_error"


@pytest.mark.parametrize("path", [RESPONSES, NATIVE_CHAT])
def test_a_cut_stream_ends_with_the_error_event_of_its_protocol(impatient, studio, path):
    studio.answers[path] = streams(b'event: a\ndata: {"type": "a"}\n\nevent: b\ndata: {"ty', ends=False)
    body = {"model": "tiny", "stream": True, "input": PROMPT, "store": True}
    answer = impatient.ask(path, body)
    first, second, rest = answer.body.split(b"\n\n")
    assert (first.startswith(b"event: a\ndata: {"), rest, answer.is_whole) == (True, b"", True)
    assert second.startswith(b"event: error\ndata: {")


def test_passed_on_stream_without_end_is_cut_at_the_limit(impatient, studio):
    studio.answers[CHAT] = streams(*[event("x" * 100_000)] * 30)
    answer = impatient.ask("/v1/chat/completions", chat(stream=True))
    assert events_of(answer.body)[-1]["error"]["message"] == "the answer is too long: more than 2000000 bytes"
    assert len(answer.body) < 2_100_000


def test_passed_on_event_without_end_is_no_burden(impatient, studio):
    studio.answers[CHAT] = streams("one", *[b"x" * 100_000] * 15)
    assert impatient.ask("/v1/chat/completions", chat(stream=True)).status == 200
    studio.answers[CHAT] = streams("one", *[b"x" * 100_000] * 100)
    events = events_of(impatient.ask("/v1/chat/completions", chat(stream=True)).body)
    assert "choices" in events[0]
    assert "too long" in events[-1]["error"]["message"]


ERROR = b'data: {"error":{"message":"boom"}}\n\n'


@pytest.mark.parametrize("error", [ERROR, b"event: error\n" + ERROR])
def test_a_forwarded_error_stays_the_only_one_after_a_break(impatient, studio, error):
    studio.answers[CHAT] = streams("one", error, ends=False)
    body = impatient.ask("/v1/chat/completions", chat(stream=True)).body
    assert body == event("one") + error


def test_an_error_at_the_start_is_a_true_status_however_it_is_cut(impatient, studio):
    studio.answers[CHAT] = streams(b"event: error\n", 0.2, ERROR, ends=False)
    answer = impatient.ask("/v1/chat/completions", chat(stream=True))
    assert (answer.status, answer.json["error"]["message"]) == (502, "boom")


def test_a_first_event_with_a_null_error_is_no_error(impatient, studio):
    first = event("one").replace(b"{", b'{"error":null,', 1)
    studio.answers[CHAT] = streams(first)
    answer = impatient.ask("/v1/chat/completions", chat(stream=True))
    assert (answer.status, answer.body) == (200, first + END)


@pytest.mark.parametrize("text", ["so [DONE] is", 'the "error" is'])
def test_forwarded_text_about_terminators_is_no_terminator(impatient, studio, text):
    studio.answers[CHAT] = streams(text, ends=False, chunked=False)
    events = events_of(impatient.ask("/v1/chat/completions", chat(stream=True)).body)
    assert events[-1]["error"]["message"] == "connection lost: LM Studio closed it before its answer was complete"


@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions"])
def test_answer_without_content_is_a_failure(impatient, studio, path):
    studio.answers[CHAT] = replies(b"", "204 No Content")
    answer = impatient.ask(path, chat(stream=True))
    assert answer.status == 502
    assert "status 204 and an empty body" in answer.body.decode()


def test_passed_on_object_beyond_the_limit_is_an_error(impatient, studio):
    studio.answers[CHAT] = replies({"choices": [{"message": {"content": "x" * 2_100_000}}]})
    assert impatient.ask("/v1/chat/completions", chat()).status == 502


def test_connection_that_breaks_after_the_end_of_a_stream_does_no_harm(impatient, studio):
    odd = b"event: x\r\ndata: \xff\r\n\r\n" + sse({"anything": 1}) + b"data: [DONE]\n\n"
    studio.answers[CHAT] = streams(odd, ends=False)
    assert impatient.ask("/v1/chat/completions", chat(stream=True)).body == odd


FINISH = sse({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})


@pytest.mark.parametrize("last", [FINISH, FINISH.removesuffix(b"\n\n")])
def test_complete_stream_without_an_end_mark_gets_one(impatient, studio, last):
    studio.answers[CHAT] = streams("one", last, b"", ends=False)
    assert impatient.ask("/v1/chat/completions", chat(stream=True)).body == event("one") + FINISH + b"data: [DONE]\n\n"


def test_stream_that_stays_open_after_its_end_mark_is_complete(impatient, studio):
    stream = (event("one") + FINISH + b"data: [DONE]\n\n").replace(b"\n", b"\r\n")
    studio.answers[CHAT] = streams(stream, Peer.hold, ends=False)
    assert impatient.ask("/v1/chat/completions", chat(stream=True)).body == stream


@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions"])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_error_that_a_proxy_sends_on_into_a_stream_reaches_the_client(impatient, studio, end, path):
    studio.answers[CHAT] = streams("one", b'{"error":{"code":500,"message":"boom"}}' + end, b"", ends=False)
    answer = impatient.ask(path, chat(stream=True))
    assert (answer.status, answer.body.count(b"boom"), b"connection lost" in answer.body) == (200, 1, False)


@pytest.mark.parametrize(("path", "last"), [(RESPONSES, "response.completed"), (NATIVE_CHAT, "chat.end")])
def test_break_after_the_last_event_of_a_protocol_does_no_harm(impatient, studio, path, last):
    whole = f'event: a\ndata: {{"type": "a"}}\n\nevent: {last}\ndata: {{"type": "{last}"}}\n\n'.encode()
    studio.answers[path] = streams(whole, ends=False)
    body = {"model": "tiny", "stream": True, "input": PROMPT, "store": True}
    assert b"error" not in impatient.ask(path, body).body
