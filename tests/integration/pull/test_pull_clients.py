"""Pulls as the real client makes them, of real bytes; and what happens when it hangs up."""

import json
import socket
from contextlib import ExitStack

import ollama
import pytest
from support.apps import served
from support.catalogue import Catalogue

from flask_shim import create_app
from flask_shim.config import Config

pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")

from flask_shim.embedded import MiniLMStudio, MiniSettings
from flask_shim.embedded.library import TINY
from flask_shim.services import services_of

SIZE = (TINY / "tiny-chat.gguf").stat().st_size


@pytest.fixture
def studio(tmp_path):
    """Return a function that starts a miniature with a catalogue of one model, and a shim; gives client and parts."""
    catalogue, own = tmp_path / "catalogue", tmp_path / "own"
    (catalogue / "maker").mkdir(parents=True)
    own.mkdir()
    (catalogue / "maker" / "New-Model-F16.gguf").write_bytes((TINY / "tiny-chat.gguf").read_bytes())
    with ExitStack() as running:

        def of(rate=20e6):
            miniature = running.enter_context(MiniLMStudio(MiniSettings(models=own)))
            downloads = Catalogue(miniature, catalogue, own, rate)
            running.callback(downloads.close)
            app = create_app(Config(backend_url=miniature.url, data_dir=tmp_path / "data"))
            parts = services_of(app)
            running.callback(parts.close)
            port = running.enter_context(served(app, channel_request_lookahead=1))
            return running.enter_context(ollama.Client(host=f"http://127.0.0.1:{port}")), parts, downloads

        yield of


def test_ollama_client_pulls_a_model_and_talks_to_it(studio):
    client, parts, _ = studio(rate=4e6)
    result = list(client.pull("maker/new-model-f16", stream=True))
    assert [line.status for line in (result[0], *result[-3:])] == [
        *("pulling manifest", "verifying sha256 digest", "writing manifest", "success")
    ]
    bars = [line for line in result if line.digest]
    assert {(bar.digest, bar.total) for bar in bars} == {(bars[0].digest, SIZE)}
    done = [bar.completed or 0 for bar in bars]
    assert done == sorted(done)
    assert done[-1] == SIZE
    assert "maker/new-model-f16:latest" in [model.model for model in client.list().models]
    assert client.chat("maker/new-model-f16", [{"role": "user", "content": "Hello"}]).message.content
    assert parts.pulls.in_use == 0


def test_ollama_client_pulls_from_hugging_face_and_keeps_its_name(studio):
    client, _, _ = studio()
    name = "hf.co/maker/New-Model:F16"
    assert client.pull(name).status == "success"
    assert client.generate(name, "Hello").response
    assert name in [model.model for model in client.list().models]


def test_ollama_client_pulls_again_what_is_there(studio):
    client, _, _ = studio()
    assert client.pull("maker/new-model-f16").status == "success"
    again = list(client.pull("maker/new-model-f16", stream=True))
    assert [(line.total, line.completed) for line in again if line.digest] == [(SIZE, SIZE)]


@pytest.mark.parametrize("stream", [True, False])
def test_a_disconnect_ends_the_watching_and_the_next_pull_joins(studio, until, stream):
    client, parts, downloads = studio(rate=5e5)
    raw = json.dumps({"model": "maker/new-model-f16", "stream": stream}).encode()
    head = f"POST /api/pull HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(raw)}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", client._client.base_url.port)) as hasty:
        hasty.sendall(head + raw)
        until(lambda: downloads.status_requests)
        assert parts.pulls.in_use == 1
    until(lambda: parts.pulls.in_use == 0)
    assert client.pull("maker/new-model-f16").status == "success"
    assert downloads.started == ["maker/new-model-f16"]
