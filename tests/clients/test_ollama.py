"""The official Python library; most of the others stand on it."""

from __future__ import annotations

import asyncio
import json

import pytest

pytest.importorskip("ollama", reason="the clients extra is not installed")

import ollama
from clients.known import ADA, HELLO, OSLO, PERSON, RAIN, RAINY, STORY, get_weather, user
from support.pictures import picture

COLD = {"temperature": 0}
THOUGHT = "The user wants an answer. I will answer."


@pytest.fixture
def client(url):
    with ollama.Client(host=url) as client:
        yield client


def test_models_are_listed_with_all_details(client):
    models = {model.model: model for model in client.list().models}
    chat = models["tiny-chat:latest"]
    assert chat.size > 0
    assert len(chat.digest) == 64
    assert (chat.details.family, chat.details.format) == ("llama", "gguf")
    assert chat.modified_at.tzinfo is not None


@pytest.mark.skipif(not hasattr(ollama.Client, "systemone"), reason="needs ollama 0.6.3")
def test_questions_are_decided(client):
    questions = {
        "team": {"type": "choice", "instructions": "Who?", "criteria": {"shipping": None, "billing": "payments"}},
        "sure": {"type": "noul", "instructions": "Is it so?"},
        "when": {"type": "score", "instructions": "When?", "criteria": ["later", "today"]},
    }
    decision = client.systemone("tiny-decide", "This is for shipping", questions, keep_alive="5m")
    assert list(decision.answers) == list(questions)
    assert decision.answers["team"].choice == "shipping"
    assert decision.answers["when"].legend == {"0": "later", "1": "today"}
    assert decision.usage.input_tokens > 0
    with pytest.raises(ollama.ResponseError, match="does not support chat"):
        client.chat("tiny-decide", [user("Hello")])


def test_every_model_is_shown(client):
    for model in client.list().models:
        shown = client.show(model.model)
        assert shown.details.family == model.details.family
        assert shown.modelinfo[f"{shown.modelinfo['general.architecture']}.context_length"] > 0
        assert shown.modified_at.tzinfo is not None
    assert {"completion", "tools"} <= set(client.show("tiny-chat").capabilities)


def test_a_chat_is_answered_whole(client):
    answer = client.chat("tiny-chat", [user("Hello")], options=COLD)
    assert (answer.message.content, answer.done, answer.done_reason) == (HELLO, True, "stop")
    assert min(answer.total_duration, answer.load_duration, answer.prompt_eval_count, answer.eval_count) > 0
    assert answer.message.tool_calls is None


def test_a_chat_is_streamed(client):
    parts = list(client.chat("tiny-chat", [user("Hello")], options=COLD, stream=True))
    assert len(parts) > 2
    assert "".join(part.message.content for part in parts) == HELLO
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1].total_duration >= parts[-1].eval_duration > 0
    assert min(parts[-1].load_duration, parts[-1].prompt_eval_count, parts[-1].eval_count) > 0


def test_characters_of_several_tokens_arrive_whole(client):
    parts = client.chat("tiny-chat", [user("Say hello in Japanese")], stream=True, options=COLD)
    assert "".join(part.message.content for part in parts) == "こんにちは! 🌸"


def test_system_prompt_history_and_options_reach_the_model(client):
    system = {"role": "system", "content": "You are Rumpel."}
    assert client.chat("tiny-chat", [system, user("Who are you?")], options=COLD).message.content[:11] == "I am Rumpel"
    assert client.generate("tiny-chat", "Who are you?", system=system["content"]).response[:11] == "I am Rumpel"
    history = [user("My name is Rumpel."), {"role": "assistant", "content": "Nice to meet you, Rumpel!"}]
    answer = client.chat("tiny-chat", [*history, user("What is my name?")], options=COLD)
    assert answer.message.content == "Your name is Rumpel."
    answer = client.chat("tiny-chat", [user("Count to 10")], options={**COLD, "stop": [" 5"]})
    assert answer.message.content == "1, 2, 3, 4,"
    answer = client.chat("tiny-chat", [user(STORY)], options={"num_predict": 5})
    assert (answer.done_reason, answer.eval_count) == ("length", 5)


@pytest.mark.parametrize("color", ["red", "blue"])
@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_a_picture_reaches_the_model(client, color, form):
    message = user("What color is the picture?") | {"images": [picture(form, color, size=(56, 56))]}
    assert color in client.chat("tiny-vision", [message], options=COLD).message.content


def test_a_chat_is_streamed_to_an_asynchronous_client(url):
    async def parts():
        async with ollama.AsyncClient(host=url) as client:
            stream = await client.chat("tiny-chat", [user("Hello")], options=COLD, stream=True)
            return [part async for part in stream]

    assert "".join(part.message.content for part in asyncio.run(parts())) == HELLO


@pytest.mark.parametrize("model", ["tiny-chat", "tiny-think"])
def test_a_tool_is_called_and_its_result_used(client, model):
    history = [user(OSLO)]
    asked = client.chat(model, history, tools=[get_weather], options=COLD)
    (call,) = asked.message.tool_calls
    assert (call.function.name, call.function.arguments) == ("get_weather", {"city": "Oslo"})
    history += [asked.message, {"role": "tool", "tool_name": "get_weather", "content": get_weather("Oslo")}]
    assert client.chat(model, history, tools=[get_weather], options=COLD).message.content == RAINY


def test_a_tool_is_called_in_a_stream(client):
    parts = client.chat("tiny-chat", [user(OSLO)], tools=[get_weather], options=COLD, stream=True)
    calls = [call for part in parts for call in part.message.tool_calls or ()]
    assert [(call.function.name, call.function.arguments) for call in calls] == [("get_weather", {"city": "Oslo"})]


def test_two_tools_are_called_at_once(client):
    question = user("What is the weather in Rome and Cairo?")
    calls = client.chat("tiny-chat", [question], tools=[get_weather], options=COLD).message.tool_calls
    assert [call.function.arguments["city"] for call in calls] == ["Rome", "Cairo"]


@pytest.mark.parametrize(("think", "thought"), [(None, THOUGHT), (True, THOUGHT), (False, "")])
@pytest.mark.parametrize("stream", [True, False])
def test_thinking_is_in_its_own_field_or_off(client, think, thought, stream):
    answer = client.chat("tiny-think", [user("Hello")], think=think, stream=stream, options=COLD)
    messages = [part.message for part in answer] if stream else [answer.message]
    assert "".join(message.content for message in messages) == HELLO
    assert "".join(message.thinking or "" for message in messages).strip() == thought


def test_an_answer_keeps_to_a_schema(client):
    answer = client.chat("tiny-chat", [user(ADA)], format=PERSON, options=COLD)
    assert json.loads(answer.message.content) == {"name": "Ada", "age": 36}
    answer = client.chat("tiny-chat", [user(ADA)], format="json", options=COLD)
    assert isinstance(json.loads(answer.message.content), dict)


def test_a_prompt_is_continued_in_a_stream(client):
    parts = list(client.generate("tiny-chat", "Hello", options=COLD, stream=True))
    assert "".join(part.response for part in parts) == HELLO
    assert parts[-1].context


def test_a_returned_context_continues_the_conversation(client):
    first = client.generate("tiny-chat", "My name is Rumpel.", options=COLD)
    second = client.generate("tiny-chat", "What is my name?", context=first.context, options=COLD)
    assert second.response == "Your name is Rumpel."


def test_a_model_is_loaded_and_unloaded(client, until):
    assert client.generate("tiny-chat", keep_alive="5m").done_reason == "load"
    (running,) = [model for model in client.ps().models if model.model == "tiny-chat:latest"]
    assert running.context_length > 0
    assert running.expires_at.tzinfo is not None
    assert client.generate("tiny-chat", keep_alive=0).done_reason == "unload"
    until(lambda: "tiny-chat:latest" not in [model.model for model in client.ps().models])
    assert client.chat("tiny-chat", [user("Hello")], options=COLD).message.content == HELLO


def test_a_model_is_pulled(client):
    steps = list(client.pull("acme/fresh", stream=True))
    assert steps[0].status == "pulling manifest"
    assert steps[-1].status == "success"
    assert "acme/fresh:latest" in [model.model for model in client.list().models]


@pytest.mark.parametrize(
    ("ask", "status", "words"),
    [
        (lambda client: client.chat("nope", [user("x")]), 404, "model 'nope' not found"),
        (lambda client: list(client.chat("nope", [user("x")], stream=True)), 404, "model 'nope' not found"),
        (lambda client: client.chat("tiny-chat", [user("x")], think=True), 400, "does not support thinking"),
        (lambda client: client.generate("tiny-embed", "x"), 400, "does not support generate"),
        (lambda client: list(client.pull("acme/nope", stream=True)), -1, "pull model manifest"),
    ],
)
def test_a_failure_is_reported(client, ask, status, words):
    with pytest.raises(ollama.ResponseError, match=words) as caught:
        ask(client)
    assert caught.value.status_code == status
    assert RAIN not in caught.value.error
