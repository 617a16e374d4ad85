"""Aliases as Ollama's library makes and uses them."""

from __future__ import annotations

import ollama
import openai
import pytest
from clients.known import user

WHO = "Who are you?"
TINY, RUMPEL = "I am Tiny, a very small test model.", "I am Rumpel, a very small test model."

CHATML = (
    "<|im_start|>system\n{{ .System }}<|im_end|>\n"
    "<|im_start|>user\n{{ .Prompt }}<|im_end|>\n"
    "<|im_start|>assistant\n{{ .Response }}<|im_end|>\n"
)


@pytest.fixture
def client(url):
    with ollama.Client(host=url) as client:
        yield client
        for model in client.list().models:
            if model.details.parent_model or model.model.startswith("copy"):
                client.delete(model.model)


@pytest.fixture
def rumpel(client):
    client.create(model="rumpel", from_="tiny-chat", system="You are Rumpel.", parameters={"temperature": 0})


def chat(client, model):
    return client.chat(model, messages=[user(WHO)], options={"temperature": 0}).message.content


def listed(client):
    return [model.model for model in client.list().models]


def test_an_alias_answers_in_its_own_name_on_every_route(client, rumpel, url):
    assert chat(client, "tiny-chat") == TINY
    assert chat(client, "rumpel") == RUMPEL
    assert client.generate("rumpel", WHO).response == RUMPEL
    pieces = client.chat("Rumpel:latest", messages=[user(WHO)], stream=True)
    assert "".join(piece.message.content for piece in pieces) == RUMPEL
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none") as over_openai:
        answer = over_openai.chat.completions.create(model="rumpel", messages=[user(WHO)])
        assert answer.choices[0].message.content == RUMPEL
        assert "rumpel:latest" in [model.id for model in over_openai.models.list()]


def test_the_system_prompt_of_a_request_replaces_the_aliases(client, rumpel):
    messages = [{"role": "system", "content": "You are Tiny."}, user(WHO)]
    assert client.chat("rumpel", messages=messages).message.content == TINY
    assert client.generate("rumpel", WHO, system="You are Tiny.").response == TINY


def test_creation_of_an_alias_is_streamed(client):
    lines = client.create(model="rumpel", from_="tiny-chat", system="You are Rumpel.", stream=True)
    statuses = [line.status for line in lines]
    tiny = next(model for model in client.list().models if model.model == "tiny-chat:latest")
    assert statuses[0] == f"using existing layer sha256:{tiny.digest}"
    assert statuses[1].startswith("creating new layer sha256:")
    assert statuses[2:] == ["writing manifest", "success"]


def test_an_alias_is_shown_copied_and_deleted(client, rumpel):
    shown = client.show("rumpel")
    assert shown.details.parent_model == "tiny-chat:latest"
    assert "SYSTEM You are Rumpel." in shown.modelfile
    assert shown.parameters.split()[:2] == ["temperature", "0"]
    client.copy("rumpel", "copy-of-rumpel")
    client.delete("rumpel")
    assert "rumpel:latest" not in listed(client)
    assert "copy-of-rumpel:latest" in listed(client)
    assert chat(client, "copy-of-rumpel") == RUMPEL


def test_an_alias_with_a_template_of_its_own_has_its_prompt_filled_in(client):
    client.create(model="rumpel", from_="tiny-chat", system="You are Rumpel.", template=CHATML)
    assert chat(client, "rumpel") == RUMPEL
    assert client.show("rumpel").template == CHATML


@pytest.mark.parametrize(
    ("refused", "status", "text"),
    [
        (lambda client: client.delete("tiny-chat"), 501, "can only be deleted in LM Studio"),
        (lambda client: client.delete("nope"), 404, "model 'nope' not found"),
        (lambda client: client.copy("nope", "x"), 404, 'model "nope" not found'),
        (lambda client: client.create(model="x", from_="nope"), 500, "model 'nope' not found; pull it first"),
        (lambda client: client.push("tiny-chat"), 501, "no registry"),
        (lambda client: client.create(model="x", files={"a.gguf": "sha256:" + "0" * 64}), 501, "no model files"),
    ],
)
def test_the_client_raises_with_the_reason(client, refused, status, text):
    with pytest.raises(ollama.ResponseError, match=text) as caught:
        refused(client)
    assert caught.value.status_code == status


def test_the_client_is_refused_when_it_brings_a_file(client, tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"GGUF" + bytes(2_000_000))
    with pytest.raises(ollama.ResponseError, match="LM Studio takes no model files over HTTP") as caught:
        client.create_blob(tmp_path / "model.gguf")
    assert caught.value.status_code == 501
