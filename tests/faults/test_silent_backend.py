"""An unreachable or silent LM Studio: the error comes in time, names it, and everything is released."""

from __future__ import annotations

import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.answers import event, silent, streams
from support.checked_shim import PROMPT, STREAMS, chat
from support.fake_lmstudio import CHAT, COLD, EMBEDDER, LOAD

from flask_shim.lmstudio import BackendCall, ClientOptions, LMStudio
from flask_shim.lmstudio.errors import BackendUnavailable

SOON = 3.0
"""Limit for errors whose timeout is less than one second."""

EMBED = {"model": EMBEDDER, "input": PROMPT}
LISTS = ("/api/v1/models", "/api/v0/models", "/v1/models")

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + b"X-Slow: yes\r\n" * 100
FIRST_BYTE = "LM Studio did not begin to answer within 0.6 s"


def dripping(peer):
    peer.drip(HEAD, 0.05)


def text_of(answer):
    error = answer.json.get("error", answer.json.get("detail"))
    return error["message"] if isinstance(error, dict) else error


ASKS = {
    "a streamed chat": ("/api/chat", chat()),
    "a chat": ("/api/chat", chat(stream=False)),
    "a prompt": ("/api/generate", {"model": "tiny", "prompt": PROMPT}),
    "a passed-on stream": ("/v1/chat/completions", chat(stream=True)),
    "a passed-on object": ("/v1/chat/completions", chat()),
    "a service's chat": ("/chat", chat(model_key="tiny")),
}


def ask_side_by_side(shim, requests):
    """Send the requests at the same time, as far as there are slots; return the answers, none of which came late."""

    def ask(request):
        started = time.monotonic()
        answer = shim.ask(*request)
        assert time.monotonic() - started < SOON
        return answer

    with ThreadPoolExecutor(STREAMS) as clients:
        return list(clients.map(ask, requests))


@pytest.mark.parametrize(
    ("requests", "answer"),
    [([*ASKS.values()], silent), ([ASKS["a chat"], ASKS["a passed-on object"]], dripping)],
    ids=["silent", "dripping"],
)
def test_silence_before_the_head_is_a_504_at_its_deadline(impatient, studio, requests, answer):
    studio.answers[CHAT] = answer
    for response in ask_side_by_side(impatient, requests):
        assert (response.status, text_of(response)) == (504, FIRST_BYTE)
    studio.until(lambda: not studio.open_at(CHAT))
    assert len(studio.asked_for(CHAT)) == len(requests)
    logged = {"level": "WARNING", "outcome": "error:backend_timeout", "error": f'"{FIRST_BYTE}"'}
    for path, count in Counter(path for path, _ in requests).items():
        for nth in range(1, count + 1):
            assert impatient.end_of(path, nth).items() >= logged.items()


SILENCES = {
    "vectors": ("/api/embed", EMBED, "/v1/embeddings", 504),
    "a load": ("/api/chat", {"model": COLD, "messages": []}, LOAD, 504),
    "a load for its context": ("/api/chat", chat(model=COLD, options={"num_ctx": 8192}), LOAD, 504),
    "a service's load": ("/models/load", {"model_key": COLD}, LOAD, 200),
    "a passed-on list": ("/v1/models", None, "/v1/models", 504),
    "a passed-on load": (LOAD, {"model": COLD}, LOAD, 504),
}


@pytest.mark.parametrize(("path", "body", "backend_path", "status"), SILENCES.values(), ids=SILENCES.keys())
def test_silence_in_any_other_request_ends_at_its_deadline(impatient, studio, path, body, backend_path, status):
    studio.answers[backend_path] = silent
    started = time.monotonic()
    response = impatient.ask(path, body)
    assert response.status == status
    assert " 0.6 s" in text_of(response) or " 0.7 s" in text_of(response)
    assert time.monotonic() - started < SOON
    studio.until(lambda: not studio.open_at(backend_path))


def test_silence_of_the_model_list_ends_at_its_deadline(impatient, studio):
    studio.answers = dict.fromkeys(LISTS, silent)
    answers = ask_side_by_side(impatient, [["/api/tags"], ["/api/ps"], ["/models"], ["/ready"]])
    assert [answer.status for answer in answers] == [504, 504, 504, 503]
    assert {text_of(answer) for answer in answers} == {"LM Studio did not answer GET /api/v1/models within 0.7 s"}


@pytest.mark.parametrize("step", [lambda peer: peer.hold(), lambda peer: peer.drip(event("x" * 1000), 0.05)])
def test_silence_between_events_ends_a_stream_with_one_error_line(impatient, studio, step):
    studio.answers[CHAT] = streams("one ", "two ", step)
    answer = impatient.ask("/api/chat", chat())
    *lines, last = answer.lines
    assert [line["message"]["content"] for line in lines] == ["one ", "two "]
    assert last == {"error": "LM Studio sent no data for 0.5 s"}
    assert answer.is_whole
    studio.until(lambda: not studio.open_at(CHAT))
    assert impatient.end_of("/api/chat").items() >= {"outcome": "error:backend_timeout", "tokens_out": "2"}.items()


def test_a_silent_forwarded_stream_ends_with_one_error_event(impatient, studio):
    studio.answers[CHAT] = streams("one ", lambda peer: peer.hold())
    answer = impatient.ask("/v1/chat/completions", chat(stream=True))
    assert answer.body.count(b'"error"') == 1
    assert b"LM Studio sent no data for 0.5 s" in answer.body
    assert answer.is_whole


def test_silence_in_the_middle_of_one_object_is_a_504(impatient, studio):
    studio.answers[CHAT] = streams("one ", lambda peer: peer.hold())
    answer = impatient.ask("/api/chat", chat(stream=False))
    assert (answer.status, answer.json) == (504, {"error": "LM Studio sent no data for 0.5 s"})


def test_slow_stream_that_is_never_silent_for_too_long_completes(impatient, studio):
    studio.answers[CHAT] = streams("one ", 0.3, "two ", 0.3, "three ", 0.3, "four")
    answer = impatient.ask("/api/chat", chat())
    assert "".join(line["message"]["content"] for line in answer.lines) == "one two three four"
    assert answer.lines[-1]["done"] is True


# Away


@pytest.fixture
def away(impatient, studio):
    """A shim whose LM Studio has gone; it comes back when the test is over."""
    studio.kill()
    yield impatient
    studio.back()


@pytest.mark.parametrize(
    ("path", "body"), [*ASKS.values(), ("/api/embed", EMBED), ("/api/tags", None), ("/v1/models", None)]
)
def test_unreachable_backend_is_an_immediate_error_with_advice(away, studio, path, body):
    started = time.monotonic()
    response = away.ask(path, body)
    assert response.status == 503
    assert "LM Studio" in text_of(response)
    if not path.startswith("/chat"):
        assert f"{studio.url} (connection refused). Start LM Studio" in text_of(response)
    assert time.monotonic() - started < SOON
    assert away.end_of(path).items() >= {"level": "WARNING", "outcome": "error:backend_unavailable"}.items()


def test_backend_that_accepts_no_connection_is_a_timeout():
    """A full queue of connections: the connection attempt waits and is never accepted."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for other in (first, second):
            other.setblocking(False)
            other.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        backend = LMStudio(ClientOptions(base_url=url, connect_timeout=0.2, connect_retries=1, retry_backoff=0))
        started = time.monotonic()
        with pytest.raises(BackendUnavailable, match="no answer to the connection attempt"):
            backend.open("POST", CHAT, BackendCall(), b"{}")
        assert time.monotonic() - started < SOON
        assert backend.open_connections == 0
        backend.close()
