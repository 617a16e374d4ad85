"""A streamed completion ends complete, or with the exception that says why not; something else may come instead."""

from __future__ import annotations

import gzip
import json
import threading
from contextlib import closing

import pytest
from support.answers import END, USAGE, event, reads, replies, sse, streams

from flask_shim.lmstudio import BackendCall
from flask_shim.lmstudio.client import CHAT
from flask_shim.lmstudio.completion_events import Usage
from flask_shim.lmstudio.errors import (
    BackendError,
    BackendProtocolError,
    BackendRequestError,
    BackendTimeout,
    ClientDisconnected,
    ModelLoadError,
    NoModelLoaded,
    NoSuchEndpoint,
)

CRASHED = "The model has crashed without additional information. (Exit code: null)"
CRASH = {"error": {"message": CRASHED}, "message": CRASHED}
DONE = b"data: [DONE]\n\n"
FINISH = sse({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})


def texts(stream):
    """Return the texts of all events, and what was raised after them."""
    found = []
    try:
        for events in stream:
            found += [one.choices[0].text for one in events if one.choices and one.choices[0].text is not None]
    except BackendError as exc:
        return found, exc
    return found, None


@pytest.mark.parametrize("chunked", [True, False])
def test_a_stream_is_read_to_its_end(opened, chunked):
    stream = opened(streams("Hel", "lo", chunked=chunked))
    events = [one for some in stream for one in some]
    assert [one.choices[0].text for one in events if one.choices] == ["Hel", "lo", None]
    assert events[-1].usage == Usage(USAGE["prompt_tokens"], USAGE["completion_tokens"])


@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_stream_is_read_however_it_is_cut(opened, size):
    sent = b"".join([event("こんにちは"), event(" 🌸\u2028"), END])
    blocks = [sent[at : at + size] for at in range(0, len(sent), size)]
    assert texts(opened(streams(*blocks, b"", ends=False))) == (["こんにちは", " 🌸\u2028"], None)


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_a_stream_is_read_whatever_ends_its_lines(opened, end):
    blocks = [block.replace(b"\n\n", end) for block in (event("a"), event("b"), END)]
    assert texts(opened(streams(*blocks, ends=False, chunked=False))) == (["a", "b"], None)


def test_events_that_arrive_together_stay_together(opened):
    stream = opened(streams(event("a") + event("b") + event("c") + END, ends=False, chunked=False))
    assert [len(events) for events in stream] == [5]


def test_the_first_event_is_there_before_the_second_is_sent(opened):
    seen = threading.Event()
    stream = iter(opened(streams("first", lambda _: seen.wait(5), "second")))
    assert next(stream)[0].choices[0].text == "first"
    seen.set()
    assert texts(stream) == (["second"], None)


def test_nothing_is_waited_for_after_done(opened):
    assert texts(opened(streams("a", END, lambda peer: peer.hold(), ends=False))) == (["a"], None)


@pytest.mark.parametrize("end", [DONE, FINISH, FINISH + DONE, FINISH.rstrip(b"\n"), DONE.rstrip(b"\n")])
def test_a_stream_is_complete_with_a_reason_or_done(opened, end):
    assert texts(opened(streams("a", end, chunked=False, ends=False))) == (["a"], None)


def test_an_answer_without_a_word_is_complete(opened):
    assert texts(opened(streams())) == ([], None)


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("tokens", [("a",), ("a", "b", "c")])
def test_a_cut_stream_raises_after_its_events(opened, chunked, tokens):
    found, failure = texts(opened(streams(*tokens, chunked=chunked, ends=False)))
    assert found == list(tokens)
    assert failure.text == "connection lost: LM Studio closed it before its answer was complete"


@pytest.mark.parametrize("chunked", [True, False])
def test_a_stream_that_is_cut_before_its_first_event_is_never_opened(opened, chunked):
    with pytest.raises(BackendProtocolError, match="before its answer was complete"):
        opened(streams(chunked=chunked, ends=False))


ERRORS = {
    "named": b"event: error\n" + sse(CRASH),
    "unnamed": sse(CRASH),
    "a string": sse({"error": CRASHED}),
    "typed, without a name": sse({"type": "error", "message": CRASHED}),
    "an error object": sse({"object": "error", "message": CRASHED, "code": 500}),
    "named, without a key": b"event: error\n" + sse({"message": CRASHED}),
    "named, as text": b"event: error\ndata: " + CRASHED.encode() + b"\n\n",
    "JSON in a string": sse({"error": "Engine protocol predict request returned 500: " + json.dumps(CRASH)}),
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS.keys())
def test_an_error_in_a_stream_ends_it_with_its_text(opened, error):
    found, failure = texts(opened(streams("a", "b", error, chunked=False, ends=False)))
    assert found == ["a", "b"]
    assert (type(failure), failure.text) == (ModelLoadError, CRASHED)


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS.keys())
def test_an_error_as_the_first_event_is_raised_while_opening(opened, error):
    with pytest.raises(ModelLoadError) as caught:
        opened(streams(error, chunked=False, ends=False))
    assert caught.value.text == CRASHED


def test_events_before_an_error_in_the_same_block_are_not_lost(opened):
    stream = opened(streams(event("a") + ERRORS["named"], chunked=False, ends=False))
    found, failure = texts(stream)
    assert (found, type(failure)) == (["a"], ModelLoadError)


def test_an_error_without_a_text_gets_one(opened):
    _, failure = texts(opened(streams("a", sse({"error": {"code": 5}}), chunked=False, ends=False)))
    assert failure.text == "LM Studio reported an error without a text"


@pytest.mark.parametrize(
    "payload",
    [b"hello", b"[]", b'"x"', b"5", b'{"choices":[', b"\xff\xfe", b'{"a":' * 50_000 + b"1" + b"}" * 50_000],
    ids=["text", "list", "string", "number", "cut", "no UTF-8", "nested"],
)
def test_an_invalid_event_raises_after_the_valid_ones(opened, payload):
    found, failure = texts(opened(streams("a", b"data: " + payload + b"\n\n", ends=False)))
    assert found == ["a"]
    assert "LM Studio sent an event that is not" in failure.text


def test_a_line_without_end_breaks_the_stream(opened):
    def endless(peer):
        while True:
            peer.chunk(b"data: " + b"x" * 50_000)

    found, failure = texts(opened(streams("a", endless), max_line_bytes=200_000))
    assert found == ["a"]
    assert failure.text == "LM Studio's answer is garbled: no event ended within 200000 bytes"


def test_a_stream_without_end_is_too_long_at_some_point(opened):
    def endless(peer):
        while True:
            peer.chunk(event("x" * 1000))

    found, failure = texts(opened(streams(endless), max_answer_bytes=100_000))
    assert len(found) < 110  # the events of the last read are not delivered
    assert failure.text == "the answer is too long: more than 100000 bytes"


def test_silence_before_the_first_event_is_a_timeout(opened):
    with pytest.raises(BackendTimeout, match=r"did not begin to answer within 0.1 s"):
        opened(lambda peer: peer.hold(), first_byte_timeout=0.1)
    with pytest.raises(BackendTimeout, match=r"did not begin to answer within 0.1 s"):
        opened(streams(lambda peer: peer.hold()), first_byte_timeout=0.1)


def test_silence_between_events_is_a_timeout_after_what_came(opened):
    found, failure = texts(opened(streams("a", lambda peer: peer.hold()), idle_timeout=0.1))
    assert found == ["a"]
    assert (type(failure), failure.text) == (BackendTimeout, "LM Studio sent no data for 0.1 s")


def test_a_slow_stream_completes_while_it_is_not_silent(opened):
    steps = [step for number in range(6) for step in (0.1, str(number))]
    assert texts(opened(streams(*steps), idle_timeout=0.4)) == ([*"012345"], None)


def test_a_total_limit_ends_a_stream_that_is_not_silent(opened):
    call = BackendCall(total_timeout=0.2)

    def endless(peer):
        while True:
            peer.chunk(event("x"))
            peer.pause(0.01)

    _, failure = texts(opened(streams(endless), call))
    assert (type(failure), "total timeout" in failure.text) == (BackendTimeout, True)


def test_disconnect_midway_stops_the_backend(client_of, socket_server):
    server = socket_server(reads(streams("a", lambda peer: peer.hold())))
    client, gone = client_of(server.url), threading.Event()
    call = BackendCall(gone.is_set)
    with client.watchdog.watch(call), closing(client.open_completion(CHAT, {"stream": True}, call)) as stream:
        blocks = iter(stream)
        next(blocks)
        gone.set()
        with pytest.raises(ClientDisconnected):
            next(blocks)
    server.until(lambda: server.gone, seconds=1)


def test_a_failure_while_opening_closes_the_connection(client_of, socket_server):
    server = socket_server(reads(streams(b"data: hello\n\n", lambda peer: peer.hold())))
    client = client_of(server.url)
    with pytest.raises(BackendProtocolError):
        client.open_completion(CHAT, {"stream": True}, BackendCall())
    server.until(lambda: server.gone, seconds=1)


WHOLE = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}],
    "usage": USAGE,
}


def test_a_whole_answer_to_a_request_for_a_stream_is_taken(opened):
    (events,) = opened(replies(WHOLE))
    assert events[0].choices[0].text == "Hello!"
    assert events[0].usage == Usage(3, 2)


@pytest.mark.parametrize("status", ["201 Created", "202 Accepted"])
def test_every_status_of_success_is_taken(opened, status):
    (events,) = opened(replies(WHOLE, status))
    assert events[0].choices[0].text == "Hello!"
    (events,) = opened(replies(sse(WHOLE) + DONE, status, content_type="text/event-stream"))
    assert events[0].choices[0].text == "Hello!"


INSTEAD = {
    "an error with status 200": (replies({"error": "Unexpected endpoint or method. (POST /x)"}), NoSuchEndpoint),
    "an error with status 400": (replies({"error": "'messages' field is required"}, "400 X"), BackendRequestError),
    "nothing loaded": (replies({"error": "No models loaded. Please load one."}, "400 X"), NoModelLoaded),
    "a crash with status 400": (replies({"error": CRASHED}, "400 X"), ModelLoadError),
    "an error page": (replies("<html>502</html>", "502 X", content_type="text/html"), BackendError),
    "a redirect": (replies("", "302 X", location="/login"), BackendProtocolError),
    "a web page": (replies("<html>hello</html>", content_type="text/html"), BackendProtocolError),
    "an empty object": (replies({}), BackendProtocolError),
    "a list of models": (replies({"data": []}), BackendProtocolError),
    "no choices": (replies({"choices": []}), BackendProtocolError),
    "nothing at all": (replies(""), BackendProtocolError),
    "an empty answer": (replies("", "204 No Content"), BackendProtocolError),
    "a compressed error": (
        replies(gzip.compress(b'{"error": "boom"}'), "400 X", content_encoding="gzip"),
        BackendProtocolError,
    ),
    "a compressed stream": (
        replies(b"\x1f\x8b", content_type="text/event-stream", content_encoding="gzip"),
        BackendProtocolError,
    ),
}


@pytest.mark.parametrize(("answer", "kind"), INSTEAD.values(), ids=INSTEAD.keys())
def test_an_error_instead_of_a_stream_is_raised_while_opening(opened, answer, kind):
    with pytest.raises(kind):
        opened(answer)
