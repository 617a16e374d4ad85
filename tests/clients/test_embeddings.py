"""Embeddings as Ollama's and OpenAI's libraries get them."""

from __future__ import annotations

import base64
import math
import struct

import ollama
import openai
import pytest

MODEL = "tiny-embed"


@pytest.fixture
def ollama_client(url):
    with ollama.Client(host=url) as client:
        yield client


@pytest.fixture
def openai_client(url):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_ollama_client_gets_vectors_of_length_one(ollama_client):
    result = ollama_client.embed(model=MODEL, input=["one", "two words", ""])
    assert [math.hypot(*vector) for vector in result.embeddings] == pytest.approx([1, 1, 1])
    assert [len(vector) for vector in result.embeddings] == [64, 64, 64]
    assert result.total_duration >= result.load_duration > 0


def test_ollama_client_gets_the_same_vector_alone_and_among_others(ollama_client):
    many = ollama_client.embed(model=MODEL, input=["one", "two", "three"]).embeddings
    assert many[2] == pytest.approx(ollama_client.embed(model=MODEL, input="three").embeddings[0], abs=1e-6)
    assert many[0] != pytest.approx(many[1], abs=1e-3)


def test_ollama_client_gets_as_many_dimensions_as_it_wants(ollama_client):
    result = ollama_client.embed(model=MODEL, input="one", dimensions=5).embeddings[0]
    assert len(result) == 5
    assert math.hypot(*result) == pytest.approx(1)


def test_ollama_client_gets_no_vector_for_no_text(ollama_client):
    assert ollama_client.embed(model=MODEL, input=[]).embeddings == []
    assert ollama_client.embeddings(model=MODEL, prompt="").embedding == []


def test_old_route_gives_the_direction_of_the_new_one(ollama_client):
    raw = list(ollama_client.embeddings(model=MODEL, prompt="one").embedding)
    result = ollama_client.embed(model=MODEL, input="one").embeddings[0]
    assert [number / math.hypot(*raw) for number in raw] == pytest.approx(result, abs=1e-6)


def test_texts_beyond_the_context_are_cut_or_refused(ollama_client):
    assert len(ollama_client.embed(model=MODEL, input="word " * 2000).embeddings) == 1
    with pytest.raises(ollama.ResponseError, match="the input length exceeds the context length"):
        ollama_client.embed(model=MODEL, input="word " * 2000, truncate=False)


def test_embedding_with_a_language_model_is_a_clear_error(ollama_client):
    with pytest.raises(ollama.ResponseError, match='"tiny-chat" does not support embeddings') as refused:
        ollama_client.embed(model="tiny-chat", input="x")
    assert refused.value.status_code == 400


def test_openai_client_gets_the_same_numbers_in_both_forms(openai_client):
    as_base64 = openai_client.embeddings.create(model=MODEL, input=["one", "two"])  # what it asks for by itself
    as_numbers = openai_client.embeddings.create(model=MODEL, input=["one", "two"], encoding_format="float")
    for text, numbers in zip(as_base64.data, as_numbers.data, strict=True):
        assert text.embedding == pytest.approx(numbers.embedding, rel=1e-6)


def test_openai_client_gets_base64_on_request(openai_client):
    result = openai_client.embeddings.create(model=MODEL, input="one", encoding_format="base64").data[0].embedding
    numbers = struct.unpack(f"<{len(base64.b64decode(result)) // 4}f", base64.b64decode(result))
    assert numbers == pytest.approx(openai_client.embeddings.create(model=MODEL, input="one").data[0].embedding)


def test_openai_client_gets_as_many_dimensions_as_it_wants(openai_client):
    assert len(openai_client.embeddings.create(model=MODEL, input="one", dimensions=7).data[0].embedding) == 7


def test_openai_client_gets_an_error_for_token_lists(openai_client):
    with pytest.raises(openai.BadRequestError, match="invalid input type"):
        openai_client.embeddings.create(model=MODEL, input=[1, 2, 3])
