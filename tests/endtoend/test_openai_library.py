"""OpenAI's own Python library against a real engine."""

from __future__ import annotations

import base64
import json

import openai
import pytest
from support.pictures import picture

SKY = "The sky is blue because air scatters blue light more than red light."
HELLO = "Hello! How can I help you today?"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture
def ask(openai_client):
    """Return a function that asks for a completion of one user turn."""

    def completion(text, **more):
        more = {"model": "tiny-chat", "temperature": 0, "max_tokens": 100, **more}
        return openai_client.chat.completions.create(messages=[{"role": "user", "content": text}], **more)

    return completion


def test_models_are_listed_and_shown_one_by_one(openai_client):
    names = [model.id for model in openai_client.models.list()]
    assert "tiny-chat" in {name.removesuffix(":latest") for name in names}
    assert openai_client.models.retrieve(names[0]).id == names[0]


@pytest.mark.parametrize("model", ["tiny-chat", "tiny-chat:latest", "Tiny-Chat"])
def test_a_chat_is_answered(ask, model):
    answer = ask("why is the sky blue?", model=model)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == (SKY, "stop")
    assert answer.usage.completion_tokens > 10


def test_a_chat_is_answered_word_by_word(ask):
    chunks = list(ask("why is the sky blue?", stream=True, stream_options={"include_usage": True}))
    texts = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert len(texts) > 1
    assert "".join(texts) == SKY
    assert chunks[-1].usage.completion_tokens > 10


def test_a_prompt_is_completed(openai_client):
    answer = openai_client.completions.create(model="tiny-chat", prompt="Count to 5", max_tokens=5, temperature=0)
    assert answer.choices[0].text


def test_a_tool_is_called(ask):
    call = ask("What is the weather in Oslo?", tools=[WEATHER]).choices[0].message.tool_calls[0]
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Oslo"})


def test_a_tool_may_be_forced_by_name(ask):
    choice = {"type": "function", "function": {"name": "get_weather"}}
    message = ask("Thanks!", tools=[WEATHER], tool_choice=choice).choices[0].message
    assert message.tool_calls[0].function.name == "get_weather"


def test_any_json_object_may_be_wanted(ask):
    answer = ask("Give me a person as JSON", response_format={"type": "json_object"})
    assert isinstance(json.loads(answer.choices[0].message.content), dict)


def test_a_picture_in_an_unsupported_format_is_converted(openai_client):
    url = f"data:image/webp;base64,{base64.b64encode(picture('WEBP', 'blue', size=(56, 56))).decode()}"
    parts = [{"type": "text", "text": "What color is the picture?"}, {"type": "image_url", "image_url": {"url": url}}]
    answer = openai_client.chat.completions.create(
        model="tiny-vision", messages=[{"role": "user", "content": parts}], max_tokens=50, temperature=0
    )
    assert "blue" in answer.choices[0].message.content


def test_thinking_is_separate_from_the_answer(ask):
    message = ask("Hello", model="tiny-think").choices[0].message
    assert message.content.strip() == HELLO
    assert "answer" in message.reasoning_content


def test_embeddings_are_numbers_or_base64(openai_client):
    plain = openai_client.embeddings.create(model="tiny-embed", input="hello", encoding_format="float")
    packed = openai_client.embeddings.create(model="tiny-embed", input="hello")
    assert plain.data[0].embedding == pytest.approx(packed.data[0].embedding, abs=1e-6)


def test_an_unknown_model_is_not_found(ask):
    with pytest.raises(openai.NotFoundError, match="nope"):
        ask("Hello", model="nope")
