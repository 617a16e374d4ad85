"""Compressed requests on every kind of route, and what LM Studio receives."""

from __future__ import annotations

import gzip
import io
import json
import sys
import zlib

import brotli
import pytest

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ENCODERS = {"zstd": zstd.compress, "gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress}
TURNS = [{"role": "user", "content": "Hello"}]
CHAT = {"model": "tiny", "messages": TURNS, "stream": False}
REQUESTS = {
    "/api/chat": CHAT,
    "/api/generate": {"model": "tiny", "prompt": "Hello", "stream": False},
    "/api/show": {"model": "tiny"},
    "/v1/chat/completions": CHAT,
    "/v1/completions": {"model": "tiny", "prompt": "Hello"},
    "/v1/responses": {"model": "tiny", "input": "Hello"},
    "/v1/messages": {**CHAT, "max_tokens": 10},
    "/api/v1/chat": {"model": "tiny", "input": "Hello"},
    "/chat": {"model_key": "tiny", "messages": TURNS},
}


def send(client, path, body, encoding, **headers):
    return client.post(path, data=body, headers={"Content-Encoding": encoding, **headers}, buffered=True)


@pytest.mark.parametrize("encoding", ENCODERS)
@pytest.mark.parametrize("path", REQUESTS)
def test_encoded_request_is_answered_on_every_route(client, path, encoding):
    body = ENCODERS[encoding](json.dumps(REQUESTS[path]).encode())
    assert send(client, path, body, encoding).status_code == 200


def test_backend_receives_the_decoded_bytes_without_the_header(client, backend):
    body = json.dumps({**CHAT, "seed": 7}, indent=2).encode()
    assert send(client, "/v1/chat/completions", zstd.compress(body), "zstd").status_code == 200
    received = backend.asked_for("/v1/chat/completions")[-1]
    assert received.body == body
    assert "content-encoding" not in {name.lower() for name in received.headers}
    assert int(received.headers["content-length"]) == len(body)


@pytest.mark.parametrize("path", REQUESTS)
def test_bomb_is_too_large_on_every_route(shim, backend, path):
    client = shim(max_request_bytes=100_000)
    bomb = zstd.compress(json.dumps({**REQUESTS[path], "x": "x" * 10_000_000}).encode())
    response = send(client, path, bomb, "zstd")
    assert response.status_code == 413
    assert "SHIM_MAX_REQUEST_BYTES" in response.text
    assert not [asked for asked in backend.asked if asked.method == "POST"]


@pytest.mark.parametrize("path", REQUESTS)
def test_broken_body_is_a_bad_request_on_every_route(client, path):
    body = gzip.compress(json.dumps(REQUESTS[path]).encode())[:-4]
    response = send(client, path, body, "gzip")
    assert response.status_code == 400
    assert "request body is not valid gzip" in response.text


def test_unknown_encoding_names_the_supported_ones(client):
    response = send(client, "/api/chat", b"{}", "compress")
    assert response.status_code == 415
    assert response.json == {"error": "content encoding is not supported: compress; supported: zstd, gzip, deflate, br"}
    assert response.headers["Accept-Encoding"] == "zstd, gzip, deflate, br"


def test_encoding_does_not_matter_where_no_body_is_read(client):
    assert send(client, "/no/such/path", b"junk", "gzip").status_code == 404
    assert client.get("/api/version", headers={"Content-Encoding": "compress"}).status_code == 200


def test_encoded_form_is_read(client):
    form = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\n\r\n--x--\r\n'
    response = send(
        client,
        "/v1/audio/transcriptions",
        gzip.compress(form),
        "gzip",
        **{"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert response.json["error"]["message"] == "model is required"


def test_chunked_body_of_another_server_is_decoded(client):
    """As gunicorn does: no length, and the input ends by itself."""
    response = client.post(
        "/api/show",
        input_stream=io.BytesIO(gzip.compress(b'{"model": "tiny"}')),
        headers={"Content-Encoding": "gzip", "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert response.status_code == 200
