"""Ollama's own Python library against a real engine."""

from __future__ import annotations

import ollama
import pytest
from support.pictures import picture

GREEDY = {"temperature": 0, "num_predict": 100}
SKY = "The sky is blue because air scatters blue light more than red light."
STORY = [{"role": "user", "content": "Tell me a long story."}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}


def user(text, **more):
    return [{"role": "user", "content": text, **more}]


def test_models_are_listed_and_shown(client):
    models = {model.model: model for model in client.list().models}
    assert {"tiny-chat:latest", "tiny-think:latest", "tiny-vision:latest"} <= set(models)
    for name, model in models.items():
        shown = client.show(name)
        assert shown.details.family == model.details.family
        assert f"{shown.modelinfo['general.architecture']}.context_length" in shown.modelinfo
        assert len(model.digest) == 64
        assert model.size > 0


def test_a_loaded_model_is_listed_as_running(client, chat):
    chat("Hello")
    running = {model.model: model for model in client.ps().models}
    assert running["tiny-chat:latest"].context_length > 0
    assert running["tiny-chat:latest"].expires_at


def test_a_chat_is_answered(chat):
    assert chat("why is the sky blue?") == SKY


def test_the_chunks_add_up_and_the_last_has_the_counts(client):
    *chunks, last = client.chat("tiny-chat", user("why is the sky blue?"), stream=True, options=GREEDY)
    assert len(chunks) > 1
    assert "".join(chunk.message.content for chunk in chunks) == SKY
    assert (last.done, last.done_reason) == (True, "stop")
    assert last.prompt_eval_count > 5
    assert last.eval_count > 10
    assert last.total_duration >= last.eval_duration > 0
    assert last.load_duration > 0


def test_letters_of_several_bytes_and_tokens_arrive_whole(client):
    chunks = client.chat("tiny-chat", user("Say hello in Japanese"), stream=True, options=GREEDY)
    assert "".join(chunk.message.content for chunk in chunks) == "こんにちは! 🌸"


def test_the_system_prompt_reaches_the_model(chat):
    assert chat("You are Rumpel.", "Who are you?").startswith("I am Rumpel")


def test_the_history_reaches_the_model(chat):
    assert chat("My name is Rumpel.", "Nice to meet you, Rumpel!", "What is my name?") == "Your name is Rumpel."


def test_options_reach_the_model(client):
    answer = client.chat("tiny-chat", user("Count to 10"), options={"temperature": 0, "stop": [" 5"]})
    assert answer.message.content == "1, 2, 3, 4,"
    cut = client.chat("tiny-chat", STORY, options={"num_predict": 5})
    assert (cut.done_reason, cut.eval_count) == ("length", 5)


def test_a_prompt_is_completed(client):
    answer = client.generate("tiny-chat", "why is the sky blue?", options=GREEDY)
    assert (answer.response, answer.done_reason) == (SKY, "stop")


def test_a_prompt_is_completed_word_by_word(client):
    *chunks, last = client.generate("tiny-chat", "why is the sky blue?", stream=True, options=GREEDY)
    assert len(chunks) > 1
    assert "".join(chunk.response for chunk in chunks) == SKY
    assert last.context


def test_the_context_carries_a_conversation_on(client):
    first = client.generate("tiny-chat", "My name is Rumpel.", options=GREEDY)
    second = client.generate("tiny-chat", "What is my name?", context=first.context, options=GREEDY)
    assert second.response == "Your name is Rumpel."


def test_a_system_prompt_of_a_prompt_reaches_the_model(client):
    answer = client.generate("tiny-chat", "Who are you?", system="You are Rumpel.", options=GREEDY)
    assert answer.response.startswith("I am Rumpel")


@pytest.mark.parametrize(("think", "is_shown"), [(None, True), (True, True), (False, False)])
@pytest.mark.parametrize("stream", [True, False])
def test_thinking_is_separate_from_the_answer_or_off(client, think, is_shown, stream):
    answers = client.chat("tiny-think", user("Hello"), think=think, stream=stream, options=GREEDY)
    messages = [answer.message for answer in answers] if stream else [answers.message]
    assert "".join(message.content for message in messages) == "Hello! How can I help you today?"
    thinking = "".join(message.thinking or "" for message in messages)
    assert thinking.strip() == ("The user wants an answer. I will answer." if is_shown else "")


def test_think_is_rejected_for_a_model_that_cannot_think(client):
    with pytest.raises(ollama.ResponseError, match='"tiny-chat" does not support thinking') as caught:
        client.chat("tiny-chat", user("Hello"), think=True)
    assert caught.value.status_code == 400


@pytest.mark.parametrize("stream", [True, False])
def test_a_tool_is_called_and_its_result_used(client, stream):
    history = user("What is the weather in Oslo?")
    answers = client.chat("tiny-chat", history, tools=[WEATHER], stream=stream, options=GREEDY)
    messages = [answer.message for answer in answers] if stream else [answers.message]
    [call] = [call for message in messages for call in message.tool_calls or ()]
    assert (call.function.name, call.function.arguments) == ("get_weather", {"city": "Oslo"})
    history += [
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "content": '{"temperature": 17, "sky": "rainy"}', "tool_name": "get_weather"},
    ]
    result = client.chat("tiny-chat", history, tools=[WEATHER], options=GREEDY)
    assert result.message.content == "It is 17 degrees and rainy in Oslo."


def test_two_tools_are_called_at_once(client):
    answer = client.chat("tiny-chat", user("What is the weather in Rome and Cairo?"), tools=[WEATHER], options=GREEDY)
    cities = [call.function.arguments["city"] for call in answer.message.tool_calls]
    assert cities == ["Rome", "Cairo"]


@pytest.mark.parametrize("color", ["red", "green", "blue"])
@pytest.mark.parametrize("format_", ["PNG", "WEBP"])
def test_a_picture_reaches_the_model(client, color, format_):
    color_of = {"green": (0, 255, 0)}.get(color, color)
    image = picture(format_, color_of, size=(56, 56))
    messages = user("What color is the picture?", images=[image])
    answer = client.chat("tiny-vision", messages, options=GREEDY)
    assert color in answer.message.content


def test_an_answer_has_the_requested_structure(client):
    import json

    answer = client.chat("tiny-chat", user("Give me a person as JSON"), format=PERSON, options=GREEDY)
    assert json.loads(answer.message.content) == {"name": "Ada", "age": 36}
    anything = client.chat("tiny-chat", user("Give me a person as JSON"), format="json", options=GREEDY)
    assert isinstance(json.loads(anything.message.content), dict)


def test_an_unknown_model_is_not_found(client):
    with pytest.raises(ollama.ResponseError, match="model 'nope' not found") as caught:
        client.chat("nope", user("Hello"))
    assert caught.value.status_code == 404


def test_a_model_is_unloaded_on_request(client, chat, until):
    chat("Hello", keep_alive=0)
    until(lambda: "tiny-chat:latest" not in [model.model for model in client.ps().models])
    assert chat("Hello") == "Hello! How can I help you today?"
