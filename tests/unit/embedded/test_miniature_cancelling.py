"""Who hangs up stops the engine, in every phase; and what a reader sees when the engine ends first."""

import json
import socket

import pytest
import requests

STORY = {"model": "tiny-chat", "messages": [{"role": "user", "content": "Tell me a long story."}]}
HEAD = (
    "POST /v1/chat/completions HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
)


def call(miniature, **more):
    """Send a chat and return the open connection."""
    body = json.dumps(STORY | more)
    client = socket.create_connection(("127.0.0.1", miniature.port))
    client.sendall((HEAD.format(len(body)) + body).encode())
    return client


def is_generating(miniature):
    """Ask the engine itself. Not often: each answer makes it look later for clients that have gone."""
    (instance,) = miniature.services.loaded_models.all()
    headers = {"Authorization": f"Bearer {instance.engine.spec.key}"}
    with requests.Session() as session:
        session.trust_env = False
        slots = session.get(f"{instance.engine.client.options.base_url}/slots", headers=headers).json()
    return any(slot["is_processing"] for slot in slots)


@pytest.fixture(scope="module")
def endless_miniature():
    from flask_shim.embedded import MiniLMStudio, MiniSettings

    with MiniLMStudio(MiniSettings(endless=True, slots=1)) as miniature:
        loaded_models, entry = miniature.services.loaded_models, miniature.services.library.find("tiny-chat")
        loaded_models.give_back(loaded_models.borrow(entry, None, None, lambda: False))
        yield miniature


def test_hanging_up_in_the_middle_of_a_stream_stops_the_engine(endless_miniature, until):
    with call(endless_miniature, stream=True) as client:
        assert client.recv(1000)
        assert is_generating(endless_miniature)
    until(lambda: endless_miniature.services.loaded_models.open_generations == 0)
    until(lambda: not is_generating(endless_miniature))


def test_disconnect_before_a_whole_answer_closes_the_connection(endless_miniature, until):
    with call(endless_miniature):
        until(lambda: endless_miniature.services.loaded_models.open_generations == 1)
    until(lambda: endless_miniature.services.loaded_models.open_generations == 0)


@pytest.mark.parametrize("stream", [True, False])
def test_disconnect_while_waiting_for_a_slot_leaves_the_queue(endless_miniature, until, stream):
    with call(endless_miniature, stream=True) as first:
        assert first.recv(1000)
        with call(endless_miniature, stream=stream):
            until(lambda: endless_miniature.services.loaded_models.open_generations == 2)
        until(lambda: endless_miniature.services.loaded_models.open_generations == 1)
        assert first.recv(1000)
    until(lambda: endless_miniature.services.loaded_models.open_generations == 0)


def test_hanging_up_during_a_load_ends_the_engine_that_was_to_be(start, until, monkeypatch):
    from flask_shim.embedded import engine

    api, begun = start(), []
    # An engine that never gets its spec never ends its load.
    monkeypatch.setattr(engine.Engine, "_send", lambda self, _: begun.append(self))
    with call(api.miniature):
        until(lambda: begun)
    until(lambda: begun[0].exit_code is not None)
    assert api.loaded() == []


def test_unloading_during_a_stream_ends_it_with_an_error_event(start):
    api = start(endless=True)
    with api.chat("Tell me a long story.", stream=True) as response:
        chunks = response.iter_content(None)
        next(chunks)
        api.unload("tiny-chat")
        rest = b"".join(chunks)
    assert rest.endswith(b'event: error\ndata: {"error":{"message":"Model unloaded."},"message":"Model unloaded."}\n\n')


def test_four_slots_work_at_the_same_time(start, until):
    api = start(endless=True)
    api.load("tiny-chat")
    clients = [call(api.miniature, stream=True) for _ in range(4)]
    assert all(client.recv(1000) for client in clients)
    assert api.miniature.services.loaded_models.open_generations == 4
    for client in clients:
        client.close()
    until(lambda: api.miniature.services.loaded_models.open_generations == 0)
