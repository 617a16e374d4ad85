"""Passing through a backend whose answers come in pieces, or not to their end."""

from __future__ import annotations

import pytest
from support.answers import lm_studio, replies, streams
from support.apps import several_apps

CHAT = "/v1/chat/completions"
BODY = {"model": "tiny", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def client_of(socket_server, tmp_path):
    """Return a function that makes a client of a shim whose backend answers chats so."""
    with several_apps(data_dir=tmp_path) as app_of:

        def client(chat):
            server = socket_server(lm_studio(chat))
            return app_of(backend_url=server.url).test_client(), server

        yield client


def in_pieces(*pieces, missing=0):
    """Answer with JSON that arrives in pieces."""

    def answer(peer):
        peer.head(content_type="application/json", content_length=sum(map(len, pieces)) + missing)
        for piece in pieces:
            peer.send(piece)
            peer.pause(0.02)
        if missing:
            peer.sock.close()

    return answer


def test_an_object_in_pieces_is_one_object(client_of):
    client, _ = client_of(in_pieces(b'{"id":', b'"x"', b"}"))
    response = client.post(CHAT, json=BODY)
    assert (response.data, response.headers["Content-Length"]) == (b'{"id":"x"}', "10")


def test_an_error_in_pieces_is_an_error(client_of):
    client, _ = client_of(in_pieces(b'{"er', b'ror":"', b'odd"}'))
    response = client.post(CHAT, json=BODY)
    assert (response.status_code, response.json["error"]["message"]) == (400, "odd")


def test_an_object_that_is_cut_is_never_passed_on_in_part(client_of):
    client, _ = client_of(in_pieces(b'{"id":"x"', missing=5))
    response = client.post(CHAT, json=BODY)
    assert response.status_code == 502
    assert "before its answer was complete" in response.json["error"]["message"]


def test_a_stream_is_passed_on_while_it_comes(client_of):
    client, server = client_of(streams("Hel", lambda peer: peer.hold()))
    with client.post(CHAT, json={**BODY, "stream": True}, buffered=False) as response:
        assert b'"Hel"' in next(response.response)
    server.until(lambda: server.gone, seconds=1)


def test_an_empty_answer_is_an_empty_answer(client_of):
    client, _ = client_of(replies(b""))
    response = client.post(CHAT, json=BODY)
    assert (response.status_code, response.data) == (200, b"")
