"""Long sessions of coding agents through three protocols, before LM Studios of all generations."""

from __future__ import annotations

from contextlib import ExitStack

import orjson
import pytest
from support.agent_sessions import CLIENTS, Exchange, claude_code, codex, pieces
from support.answers import sse, streams
from support.apps import several_apps
from support.fake_lmstudio import CHAT, FakeLMStudio

from flask_shim.translate.chat_history import SHOWN_BELOW

VERSIONS = ("v1", "v0", "openai")
MODEL = "zai-org/glm-4.6v"


@pytest.fixture(scope="module")
def shims(tmp_path_factory):
    """Return the test clients of three shims, each with the LM Studio behind it."""
    with ExitStack() as stack:
        made = stack.enter_context(several_apps(data_dir=tmp_path_factory.mktemp("data")))
        studios = [stack.enter_context(FakeLMStudio({MODEL: 65536}, version=version)) for version in VERSIONS]
        yield [(made(backend_url=studio.url).test_client(), studio) for studio in studios]


@pytest.mark.parametrize("session", [claude_code(), codex()], ids=lambda session: session.name)
def test_a_session_reaches_the_model_unchanged_on_every_route(session, shims):
    """Each request goes to another generation; what it carries must not depend on that, nor on the route."""
    clients = [client(session, MODEL) for client in CLIENTS]
    before, last = [], Exchange()
    for number, exchange in enumerate(session.exchanges):
        http, studio = shims[number % len(shims)]
        studio.answers[CHAT] = answer_of(exchange)
        received = [send(client, http, studio, number, last, exchange) for client in clients]
        last, messages = exchange, received[0]["messages"]
        assert [each["messages"] for each in received] == [messages] * 3
        assert [[tool["function"]["name"] for tool in each["tools"]] for each in received] == [list(session.tools)] * 3
        assert messages[: len(before)] == before
        before = messages
    assert read_by_model(before) == said_in(session)


def answer_of(exchange):
    return streams(*(sse({"choices": [{"index": 0, "delta": delta}]}) for delta in pieces(exchange)))


def send(client, http, studio, number, last, exchange):
    """Let a client send a request and take the answer; return what LM Studio received."""
    body = orjson.dumps({**client.ask(number, last.calls), "stream": False})  # Flask's client would sort the keys
    reply = http.post(client.path, data=body, buffered=True)
    assert reply.status_code == 200, (client.path, reply.text)
    client.take(reply.json)
    assert client.calls_in(reply.json) == [(call.name, call.arguments) for call in exchange.calls]
    return studio.asked[-1].json


def read_by_model(messages):
    """Return what a model reads, in order: texts, thinking, calls, and a mark for each picture."""
    read = []
    for message in messages:
        content = message["content"] if isinstance(message["content"], list) else [{"text": message["content"]}]
        read.append(message.get("reasoning_content"))
        read += [part.get("text", "picture") for part in content]
        read += [call["function"]["arguments"] for call in message.get("tool_calls", ())]
    return [text for text in read if text]


def said_in(session):
    """Return what a session says up to its last request, in order."""
    said, last = ["\n\n".join(session.system)], Exchange()
    for exchange in session.exchanges:
        said += [last.thinking, last.text, *(orjson.dumps(call.arguments).decode() for call in last.calls)]
        said += [call.result or SHOWN_BELOW for call in last.calls]
        said += ["picture" for call in last.calls if call.has_picture]
        said += ["\n".join(exchange.texts), exchange.system]
        last = exchange
    return [text for text in said if text]
