"""Chats of programs that use the client alone: typed pieces, and an end that can be brought about early."""

from __future__ import annotations

import pytest
from support.answers import END, USAGE, by_path, endless, event, lm_studio, model, replies, sse, streams

from flask_shim.lmstudio import BackendCall, End, Reasoning, Text, ToolCall
from flask_shim.lmstudio.errors import (
    BackendProtocolError,
    BackendRequestError,
    BackendUnavailable,
    ClientDisconnected,
    ModelNotFound,
)


def delta(**parts):
    return sse({"choices": [{"index": 0, "delta": parts}]})


def finish(reason):
    return sse({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})


def call(index=0, id_=None, name=None, arguments=None):
    return delta(tool_calls=[{"index": index, "id": id_, "function": {"name": name, "arguments": arguments}}])


@pytest.fixture
def studio(client_of, socket_server):
    """Return a function that gives a client of a backend which answers chats so, and that backend."""

    def with_answer(answer):
        server = socket_server(lm_studio(answer, model("tiny", variants=["tiny@q4"])))
        return client_of(server.url), server

    return with_answer


COUNTS = {"prompt_tokens": USAGE["prompt_tokens"], "completion_tokens": USAGE["completion_tokens"]}

ANSWERS = {
    "text": (["Hel", "lo", END], [Text("Hel"), Text("lo"), End("stop", **COUNTS)]),
    "reasoning": (
        [delta(reasoning_content="hm"), delta(reasoning="m"), event("ok"), END],
        [Reasoning("hm"), Reasoning("m"), Text("ok"), End("stop", **COUNTS)],
    ),
    "calls": (
        [
            *(call(0, "a", "look", '{"x"'), call(0, arguments=":1}"), call(1, "b", "go", {"y": 2})),
            *(finish("tool_calls"), b"data: [DONE]\n\n"),
        ],
        [ToolCall("a", "look", '{"x":1}'), ToolCall("b", "go", '{"y":2}'), End("tool_calls")],
    ),
    "cut call": (
        [call(0, "a", "look", '{"x'), finish("length"), b"data: [DONE]\n\n"],
        [ToolCall("a", "look", '{"x'), End("length")],
    ),
    "nothing": ([END], [End("stop", **COUNTS)]),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_chat_is_read_in_typed_pieces(studio, name):
    steps, pieces = ANSWERS[name]
    client, _ = studio(streams(*steps, b"", ends=False))
    with client.chat("tiny", "Hello") as chat:
        assert list(chat) == pieces
    assert chat.end == pieces[-1]


def test_chat_accepts_an_answer_that_is_not_streamed(studio):
    message = {"role": "assistant", "content": "Hello", "reasoning_content": "hm"}
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": USAGE}
    client, _ = studio(replies(whole))
    assert list(client.chat("tiny", "Hello")) == [Reasoning("hm"), Text("Hello"), End("stop", **COUNTS)]


def test_chat_may_be_read_as_one_text(studio):
    client, _ = studio(streams(delta(reasoning_content="hm"), "Hel", "lo"))
    assert client.chat("tiny", "Hello").text() == "Hello"


@pytest.mark.parametrize(
    ("messages", "sent"),
    [
        ("Hello", [{"role": "user", "content": "Hello"}]),
        (({"role": "system", "content": "Be brief."},), [{"role": "system", "content": "Be brief."}]),
    ],
)
def test_chat_sends_messages_and_settings_as_lm_studio_has_them(studio, messages, sent):
    client, server = studio(streams("a"))
    client.chat("tiny@q4", messages, temperature=0, max_tokens=5, top_p=None, stream=False).text()
    assert server.asked_for("/v1/chat/completions")[0].json == {
        "model": "tiny@q4",
        "messages": sent,
        "temperature": 0,
        "max_tokens": 5,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_chat_that_is_left_early_makes_lm_studio_stop(studio):
    client, server = studio(endless())
    with client.chat("tiny", "Hello") as chat:
        assert next(chat) == Text("tok ")
    server.until(lambda: server.gone)
    assert list(chat) == []
    assert chat.end is None


@pytest.mark.parametrize("leave", [lambda chat: chat.close(), lambda chat: chat.text()])
def test_chat_that_is_over_is_no_longer_watched(studio, leave):
    client, _ = studio(streams("a"))
    chat = client.chat("tiny", "Hello")
    assert len(client.watchdog) == 1
    leave(chat)
    assert len(client.watchdog) == 0


def test_chat_can_be_ended_from_elsewhere(studio):
    client, server = studio(endless())
    call = BackendCall()
    chat = client.chat("tiny", "Hello", call=call)
    next(chat)
    call.cancel(ClientDisconnected())
    with pytest.raises(ClientDisconnected):
        chat.text()
    server.until(lambda: server.gone)


def test_cut_chat_raises_after_its_pieces(studio):
    client, _ = studio(streams("Hel", ends=False))
    chat = client.chat("tiny", "Hello")
    assert next(chat) == Text("Hel")
    with pytest.raises(BackendProtocolError):
        next(chat)
    assert chat.end is None
    assert len(client.watchdog) == 0


def test_chat_that_is_refused_is_not_watched(studio):
    client, _ = studio(replies({"error": "no"}, "400 Bad Request"))
    with pytest.raises(BackendRequestError, match="no"):
        client.chat("tiny", "Hello")
    assert len(client.watchdog) == 0


def test_chat_with_a_model_that_is_not_there_is_not_sent(studio):
    client, server = studio(streams("a"))
    with pytest.raises(ModelNotFound, match=r"has no model 'nope'; among those it has: tiny$"):
        client.chat("nope", "Hello")
    assert server.asked_for("/v1/chat/completions") == []


def test_chat_finds_a_new_model(client_of, socket_server):
    lists = [{"models": []}, {"models": [model("new")]}]
    answers = {
        "/api/v1/models": lambda peer: replies(lists.pop(0) if lists else {})(peer),
        "/v1/chat/completions": streams("a"),
    }
    client = client_of(socket_server(by_path(answers)).url)
    assert client.models() == ()
    client.catalogue._cached_until = _aged(client.listing(), 10), float("inf")
    assert client.chat("new", "Hello").text() == "a"


def _aged(listing, seconds):
    return type(listing)(listing.api_version, listing.models, listing.requested_at - seconds)


def test_chat_without_lm_studio_names_its_address_and_remedy(client_of):
    with pytest.raises(BackendUnavailable) as caught:
        client_of("http://127.0.0.1:9").chat("tiny", "Hello")
    for part in ("LM Studio", "http://127.0.0.1:9", "lms server start", "https://lmstudio.ai/download"):
        assert part in caught.value.text
