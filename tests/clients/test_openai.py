"""OpenAI's own library against the same port, as editors and agents use it."""

from __future__ import annotations

import base64
import json
from typing import get_args

import pytest

pytest.importorskip("openai", reason="the clients extra is not installed")

import openai
import pydantic
from clients.known import ADA, HELLO, OSLO, PERSON, RAIN, RAINY, WEATHER, user
from support.demo import Shim
from support.pictures import picture

from flask_shim.embedded import MiniLMStudio, MiniSettings
from flask_shim.embedded.mini_settings import Generation


@pytest.fixture
def client(url):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="ollama", max_retries=0) as client:
        yield client


@pytest.fixture
def chat(client):
    """Return a function that chats coldly."""

    def ask(*messages, model="tiny-chat", **more):
        return client.chat.completions.create(model=model, messages=list(messages), temperature=0, **more)

    return ask


def test_models_are_listed(client):
    names = {model.id for model in client.models.list()}
    assert {"tiny-chat", "tiny-embed"} <= names
    assert {client.models.retrieve(name).id for name in names} == names


@pytest.mark.parametrize("model", ["tiny-chat", "tiny-chat:latest", "Tiny-Chat"])
def test_a_chat_is_answered_whole(chat, model):
    answer = chat(user("Hello"), model=model)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == (HELLO, "stop")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def test_a_chat_is_streamed_with_its_counts_last(chat):
    chunks = list(chat(user("Hello"), stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == HELLO
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert (chunks[-1].choices, chunks[-1].usage.total_tokens > 0) == ([], True)


@pytest.mark.parametrize("choice", ["auto", "required", {"type": "function", "function": {"name": "get_weather"}}])
def test_a_tool_is_called(chat, choice):
    answer = chat(user(OSLO), tools=[WEATHER], tool_choice=choice).choices[0]
    (call,) = answer.message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Oslo"})
    assert answer.finish_reason == "tool_calls"


def test_a_tool_is_called_in_a_stream_and_its_result_used(client, chat):
    with client.chat.completions.stream(
        model="tiny-chat", messages=[user(OSLO)], tools=[WEATHER], temperature=0
    ) as stream:
        for _ in stream:
            pass
        message = stream.get_final_completion().choices[0].message
    (call,) = message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Oslo"}
    result = {"role": "tool", "tool_call_id": call.id, "content": RAIN}
    assert chat(user(OSLO), message, result, tools=[WEATHER]).choices[0].message.content == RAINY


class Person(pydantic.BaseModel):
    """What a model is asked for."""

    name: str
    age: int


@pytest.mark.parametrize("generation", get_args(Generation))
def test_the_stream_helper_works_with_every_version_of_lm_studio(tmp_path, generation):
    with MiniLMStudio(MiniSettings(generation=generation)) as studio, Shim(studio.url, tmp_path) as shim:
        client = openai.OpenAI(base_url=f"{shim.url}/v1", api_key="ollama", max_retries=0)

        def final(text, **more):
            turn = {"model": "tiny-chat", "messages": [user(text)], "temperature": 0, **more}
            with client.chat.completions.stream(**turn) as stream:
                kinds = {event.type for event in stream}
                return kinds, stream.get_final_completion()

        with client:
            kinds, answer = final("Hello", stream_options={"include_usage": True})
            assert (answer.choices[0].message.content, answer.usage.total_tokens > 0) == (HELLO, True)
            assert {"chunk", "content.delta", "content.done"} <= kinds
            kinds, answer = final(OSLO, tools=[WEATHER])
            (call,) = answer.choices[0].message.tool_calls
            assert (json.loads(call.function.arguments), answer.choices[0].finish_reason) == (
                {"city": "Oslo"},
                "tool_calls",
            )
            assert "tool_calls.function.arguments.done" in kinds
            _, answer = final(ADA, response_format=Person)
            assert answer.choices[0].message.parsed == Person(name="Ada", age=36)
            assert client.responses.create(model="tiny-chat", input="Hello", temperature=0).output_text == HELLO


@pytest.mark.parametrize(
    "wish", [{"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}, {"type": "json_object"}]
)
def test_an_answer_keeps_to_a_schema(chat, wish):
    assert json.loads(chat(user(ADA), response_format=wish).choices[0].message.content) == {"name": "Ada", "age": 36}


def test_thinking_is_in_its_own_field(client, chat):
    message = chat(user("Hello"), model="tiny-think").choices[0].message
    assert message.content == HELLO
    assert "answer" in message.reasoning_content
    reasoning, message = client.responses.create(model="tiny-think", input="Hello", temperature=0).output
    assert (bool(reasoning.summary[0].text), message.content[0].text) == (True, HELLO)


def test_a_picture_that_lm_studio_rejects_is_converted(chat):
    url = f"data:image/webp;base64,{base64.b64encode(picture('WEBP', 'blue', size=(56, 56))).decode()}"
    parts = [{"type": "text", "text": "What color is the picture?"}, {"type": "image_url", "image_url": {"url": url}}]
    answer = chat({"role": "user", "content": parts}, model="tiny-vision")
    assert "blue" in answer.choices[0].message.content


def test_a_prompt_is_continued(client):
    answer = client.completions.create(model="tiny-chat", prompt="Say hi", max_tokens=5)
    assert (answer.choices[0].finish_reason, answer.usage.completion_tokens) == ("length", 5)


def test_a_response_is_answered_whole(client):
    answer = client.responses.create(model="tiny-chat", input="Hello", temperature=0)
    assert (answer.output_text, answer.status) == (HELLO, "completed")
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0


def test_a_response_is_streamed(client):
    with client.responses.stream(model="tiny-chat", input="Hello", temperature=0) as stream:
        events = list(stream)
        assert stream.get_final_response().output_text == HELLO
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == HELLO


def test_a_response_keeps_to_a_schema(client):
    wish = {"format": {"type": "json_schema", "name": "person", "schema": {**PERSON, "additionalProperties": False}}}
    answer = client.responses.create(model="tiny-chat", input=ADA, text=wish, temperature=0)
    assert json.loads(answer.output_text) == {"name": "Ada", "age": 36}


def test_an_unknown_model_is_not_found(client, chat):
    with pytest.raises(openai.NotFoundError, match="model 'nope' not found"):
        chat(user("Hello"), model="nope")
    with pytest.raises(openai.NotFoundError, match="model 'nope' not found"):
        client.responses.create(model="nope", input="Hello")


def test_an_embedding_model_does_not_chat(chat):
    with pytest.raises(openai.BadRequestError, match="does not support chat"):
        chat(user("Hello"), model="tiny-embed")


@pytest.mark.skipif(not hasattr(openai.OpenAI, "decisions"), reason="needs openai 3.26")
def test_questions_are_decided(client):
    questions = [
        {"type": "predicate", "name": "true", "instructions": "Is it true?"},
        {"type": "choice", "instructions": "Is it?", "choices": [{"value": True}, {"value": False}]},
        {"type": "score", "instructions": "How?", "levels": [{"label": "false"}, {"label": "true"}]},
    ]
    decision = client.decisions.create(model="tiny-decide", input="It is true", questions=questions)
    predicate, choice, score = decision.answers
    assert (predicate.name, predicate.probability > 0.5) == ("true", True)
    assert choice.choice is True
    assert [row.label for row in score.probabilities] == ["false", "true"]
    with pytest.raises(openai.BadRequestError, match="does not support decision"):
        client.decisions.create(model="tiny-chat", input="x", questions=questions)
