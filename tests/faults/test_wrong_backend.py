"""An LM Studio with wrong answers: one request, a true error, and nothing of the answer is kept."""

from __future__ import annotations

import gzip
import json
import time

import pytest
from support.answers import END, event, replies, sse, streams
from support.checked_shim import PROMPT, chat
from support.fake_lmstudio import CHAT
from support.peer import Peer
from support.resources import memory_of
from support.socket_server import SocketServer

CUT = "connection lost: LM Studio closed it before its answer was complete"
HTML = "<!doctype html><title>502 Bad Gateway</title>" + "x" * 10_000
DEEP = b"data: " + b"[" * 50_000 + b"]" * 50_000 + b"\n\n"
LONG = b"data: " + b"x" * 1_200_000
BOMB = gzip.compress(b"0" * 100_000_000, compresslevel=1)


def raw(data):
    return lambda peer: (peer.send(data), peer.sock.close())


def said(text, status, **more):
    return replies({"error": text}, status, **more)


REFUSALS = {
    "400 with JSON": (said("the request exceeds the available context size", "400 Bad Request"), 400),
    "400 with a text": (replies("no such thing", "400 Bad Request", content_type="text/plain"), 400),
    "400 with a page": (replies(HTML, "400 Bad Request", content_type="text/html"), 400),
    "400 with nothing": (replies("", "400 Bad Request"), 400),
    "400 with a novel": (said("x" * 100_000, "400 Bad Request"), 400),
    "401": (said("bad token", "401 Unauthorized"), 502),
    "402": (said("pay", "402 Payment Required"), 400),
    "403": (said("not yours", "403 Forbidden"), 502),
    "404 for the model": (replies({"error": {"message": "gone", "code": "model_not_found"}}, "404 Not Found"), 404),
    "422": (said("odd", "422 Unprocessable"), 400),
    "429": (said("slow down", "429 Too Many Requests", retry_after=3600), 503),
    "503": (said("loading", "503 Unavailable", retry_after="Wed, 21 Oct 2065 07:28:00 GMT"), 503),
    "500": (said("boom", "500 Oops"), 502),
    "500 with a page": (replies(HTML, "500 Oops", content_type="text/html"), 502),
    "redirect": (replies("", "307 Elsewhere", location="http://192.0.2.1/v1/chat/completions"), 502),
    "a page": (replies(HTML, content_type="text/html"), 502),
    "nothing": (replies(""), 502),
    "half an object": (replies('{"choices": ['), 502),
    "an error with status 200": (said("Model is on holiday", "200 OK"), 400),
    "no HTTP": (raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), 502),
    "half a head": (raw(b"HTTP/1.1 200 OK\r\nContent-Ty"), 502),
    "a status of letters": (raw(b"HTTP/1.1 OK fine\r\n\r\n"), 502),
    "a head of 100 KB": (raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"), 502),
    "no answer": (lambda peer: peer.sock.close(), 502),
    "a reset": (Peer.reset, 502),
    "too short a body": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"), 502),
    "a compressed body": (replies(BOMB, content_encoding="gzip"), 502),
    "a compressed stream": (replies(BOMB, content_type="text/event-stream", content_encoding="gzip"), 502),
    "a stream without events": (streams(ends=False), 502),
    "a stream of comments": (streams(b": ping\n\n", ends=False), 502),
    "a stream that begins with an error": (streams(sse({"error": {"message": "boom"}}), ends=False), 502),
    "a stream that begins with nonsense": (streams(b"data: nonsense\n\n"), 502),
    "a deep event": (streams(DEEP), 502),
    "an event without an end": (streams(LONG), 502),
    "garbled chunks": (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), 502),
}


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("answer", "status"), REFUSALS.values(), ids=REFUSALS.keys())
def test_wrong_answer_becomes_a_true_status_and_one_request(impatient, studio, answer, status, stream):
    studio.answers[CHAT] = answer
    response = impatient.ask("/api/chat", chat(stream=stream))
    assert response.status == status
    assert list(response.json) == ["error"]
    assert 0 < len(response.json["error"]) < 700
    assert "<" not in response.json["error"]
    assert len(studio.asked_for(CHAT)) == 1


@pytest.mark.parametrize("name", ["429", "503"])
def test_busy_backend_is_passed_on_with_a_bounded_wait(impatient, studio, name):
    studio.answers[CHAT] = REFUSALS[name][0]
    response = impatient.ask("/api/chat", chat())
    assert 1 <= int(response.headers["retry-after"]) <= 60


def test_redirect_is_not_followed(impatient, studio):
    with SocketServer(lambda peer: peer.read()) as elsewhere:
        studio.answers[CHAT] = replies("", "307 Elsewhere", location=elsewhere.url + CHAT)
        for path in ("/api/chat", CHAT):
            assert impatient.ask(path, chat()).status == 502
        assert elsewhere.connections == 0


# After the first word


NONSENSE = {
    "not JSON": b"data: nonsense\n\n",
    "a list": b"data: []\n\n",
    "bad UTF-8": b'data: {"choices": [{"delta": {"content": "\xff"}}]}\n\n',
    "depth": DEEP,
    "no end": LONG,
    "an error": sse({"error": {"message": "the model has crashed"}}),
    "a named error": b'event: error\ndata: {"message": "the model has crashed"}\n\n',
}


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE.keys())
def test_garbage_in_a_stream_ends_it_with_one_error_line(impatient, studio, nonsense):
    studio.answers[CHAT] = streams("one ", "two ", nonsense, "three ")
    answer = impatient.ask("/api/chat", chat())
    *lines, last = answer.lines
    assert (answer.status, answer.is_whole) == (200, True)
    assert "".join(line["message"]["content"] for line in lines) == "one two "
    assert list(last) == ["error"]
    facts = impatient.end_of("/api/chat")
    assert facts["outcome"].startswith("error:")
    assert facts["tokens_out"] == "2"
    studio.until(lambda: not studio.open_at(CHAT))


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "until closed"])
@pytest.mark.parametrize("events", [1, 4])
def test_stream_that_is_cut_after_some_events_ends_with_one_error_line(impatient, studio, events, chunked):
    studio.answers[CHAT] = streams(*["tok "] * events, ends=False, chunked=chunked)
    answer = impatient.ask("/api/chat", chat())
    assert answer.is_whole
    assert [line.get("error") for line in answer.lines] == [None] * events + [CUT]
    assert impatient.end_of("/api/chat")["tokens_out"] == str(events)


def test_stream_beyond_the_limit_ends_with_one_error_line(impatient, studio):
    studio.answers[CHAT] = streams(*["x" * 100_000] * 30)
    answer = impatient.ask("/api/chat", chat())
    assert answer.lines[-1] == {"error": "the answer is too long: more than 2000000 bytes"}
    assert len(answer.body) < 2_500_000
    assert impatient.ask("/api/chat", chat(stream=False)).status == 502


def test_large_wrong_answers_take_no_memory(impatient, studio):
    before = memory_of(impatient.shim)
    for answer in (replies(BOMB, content_encoding="gzip"), streams(LONG * 2), replies(b"x" * 50_000_000)):
        studio.answers[CHAT] = answer
        for path in ("/api/chat", CHAT):
            assert impatient.ask(path, chat(stream=True)).status == 502
    assert memory_of(impatient.shim) - before < 30_000_000


def test_odd_values_become_sound_lines(impatient, studio):
    """Numbers, texts and choices that no one announced: nothing is made up, and every line is JSON."""
    studio.answers[CHAT] = streams(
        b'data: {"choices": [{"delta": {"content": "a\\ud800b"}, "logprobs": NaN}]}\n\n',
        sse({"choices": [{"delta": {"content": None}}]}),
        sse({"choices": [{"delta": {}}]}),
        sse({"choices": []}),
        sse({"usage": {"prompt_tokens": -1, "completion_tokens": 1e300}}),
        sse({"choices": [{"delta": {"content": "c\u2028\x00"}}]}),
    )
    answer = impatient.ask("/api/chat", chat())
    assert "".join(line["message"]["content"] for line in answer.lines) == "a\ufffdbc\u2028\x00"
    assert answer.lines[-1]["done"] is True


def test_nothing_of_the_answers_head_is_copied_or_kept(impatient, studio):
    headers = {"set_cookie": "a=b", "server": "LM Studio", "x_model": "caf\xe9", "keep_alive": "timeout=5"}
    for path, answer in (
        ("/api/chat", replies({"choices": [{"message": {"content": "hi"}}]}, **headers)),
        (CHAT, replies({"choices": []}, **headers)),
        (CHAT, replies(event("hi") + END, **(headers | {"content_type": "text/event-stream"}))),
    ):
        studio.answers[CHAT] = answer
        response = impatient.ask(path, chat(stream=False))
        assert response.status == 200
        assert set(response.headers).isdisjoint({"set-cookie", "server", "x-model", "keep-alive", "via"})
    assert not any("cookie" in asked.headers for asked in studio.asked)


def test_next_request_after_any_wrong_answer_is_served(impatient, studio):
    for answer, _ in REFUSALS.values():
        studio.answers[CHAT] = answer
        impatient.ask("/api/chat", chat())
        del studio.answers[CHAT]
        assert impatient.ask("/api/chat", chat()).lines[-1]["done"] is True


def test_nothing_but_known_fields_reaches_the_backend(impatient, studio):
    more = {"integrations": ["mcp/x"], "plugins": [1], "ttl": 1, "tools": [{"type": "mcp", "server_url": "http://x"}]}
    response = impatient.ask("/api/chat", chat(**more, options={"integrations": [1], "temperature": 0.5}))
    sent = json.dumps([asked.json for asked in studio.asked_for(CHAT)])
    assert response.status in (200, 400)
    assert not any(word in sent for word in ("integrations", "plugins", "mcp", "server_url", "ttl"))


def test_wrong_answers_are_reported_at_once(impatient, studio):
    studio.answers[CHAT] = REFUSALS["429"][0]
    started = time.monotonic()
    for _ in range(5):
        impatient.ask("/api/chat", {"model": "tiny", "messages": [{"role": "user", "content": PROMPT}]})
    assert time.monotonic() - started < 3
