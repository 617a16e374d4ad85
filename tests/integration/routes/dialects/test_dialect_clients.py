"""Responses and Messages as real clients get them, from a real engine, on every API version."""

from __future__ import annotations

import openai
import pytest
from support.apps import served

from flask_shim import create_app
from flask_shim.config import Config

pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")

from flask_shim.embedded import MiniLMStudio, MiniSettings
from flask_shim.services import services_of

ASK = "What is the capital of Italy?"
ANSWER = "The capital of Italy is Rome."
COLD = {"temperature": 0}
"""Not all versions of Anthropic's library have a name for it."""
NUMBERS = {"type": "object", "properties": {"n": {"enum": [1, 2, 3]}}, "required": ["n"], "additionalProperties": False}


@pytest.fixture(scope="module", params=["v1", "v0", "openai"])
def url(tmp_path_factory, request):
    with MiniLMStudio(MiniSettings(generation=request.param)) as miniature:
        app = create_app(Config(backend_url=miniature.url, data_dir=tmp_path_factory.mktemp("data")))
        with served(app, channel_request_lookahead=1) as port:
            yield f"http://127.0.0.1:{port}"
        services_of(app).close()


@pytest.fixture
def openai_client(url):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
def anthropic_client(url):
    anthropic = pytest.importorskip("anthropic", reason="the clients extra is not installed")
    with anthropic.Anthropic(base_url=url, api_key="none", max_retries=0) as client:
        yield client


def test_openai_client_gets_a_response(openai_client):
    result = openai_client.responses.create(model="tiny-chat", input=ASK, temperature=0)
    assert (result.output_text, result.status) == (ANSWER, "completed")
    assert result.usage.input_tokens > 0
    assert result.usage.total_tokens == result.usage.input_tokens + result.usage.output_tokens


def test_openai_client_puts_a_streamed_response_together(openai_client):
    with openai_client.responses.stream(model="tiny-chat", input=ASK, temperature=0) as stream:
        words = [event.delta for event in stream if event.type == "response.output_text.delta"]
        result = stream.get_final_response()
    assert len(words) > 1
    assert "".join(words) == result.output_text == ANSWER


def test_openai_client_gets_thinking_in_its_own_field(openai_client):
    result = openai_client.responses.create(model="tiny-think", input="Why is the sky blue?", temperature=0)
    reasoning, message = result.output
    assert reasoning.summary[0].text
    assert message.content[0].text.startswith("The sky is blue")


def test_openai_client_gets_json_of_the_form_it_wants(openai_client):
    wish = {"format": {"type": "json_schema", "name": "number", "schema": NUMBERS}}
    result = openai_client.responses.create(model="tiny-chat", input="A number!", text=wish, temperature=0)
    assert result.output_text.replace(" ", "").replace("\n", "") in {'{"n":1}', '{"n":2}', '{"n":3}'}


def test_openai_client_reads_the_error_of_an_unknown_model(openai_client):
    with pytest.raises(openai.NotFoundError, match="model 'nope' not found"):
        openai_client.responses.create(model="nope", input=ASK)


def test_anthropic_client_gets_a_message(anthropic_client):
    turns = [{"role": "user", "content": ASK}]
    result = anthropic_client.messages.create(model="tiny-chat", max_tokens=50, messages=turns, extra_body=COLD)
    assert [block.text for block in result.content] == [ANSWER]
    assert result.stop_reason == "end_turn"
    counted = anthropic_client.messages.count_tokens(model="tiny-chat", messages=turns)
    assert counted.input_tokens == result.usage.input_tokens + (result.usage.cache_read_input_tokens or 0) > 0


def test_anthropic_client_puts_a_streamed_message_together(anthropic_client):
    turns = [{"role": "user", "content": ASK}]
    with anthropic_client.messages.stream(
        model="tiny-chat", max_tokens=5, messages=turns, system="Be brief.", extra_body=COLD
    ) as stream:
        words = list(stream.text_stream)
        result = stream.get_final_message()
    assert "".join(words) == result.content[0].text
    assert (result.stop_reason, result.usage.output_tokens) == ("max_tokens", 5)
    assert result.usage.input_tokens > 0
