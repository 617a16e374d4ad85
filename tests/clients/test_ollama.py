"""The official Python library; most of the others stand on it."""

from __future__ import annotations

import asyncio
import json

import pytest

pytest.importorskip("ollama", reason="the clients extra is not installed")

import ollama
from clients.known import ADA, HELLO, OSLO, PERSON, RAIN, RAINY, get_weather, user

COLD = {"temperature": 0}


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


def test_a_model_is_shown(client):
    shown = client.show("tiny-chat")
    assert {"completion", "tools"} <= set(shown.capabilities)
    assert shown.modelinfo["general.architecture"] == "llama"
    assert shown.modelinfo["llama.context_length"] > 0
    assert shown.modified_at.tzinfo is not None


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


def test_thinking_is_in_its_own_field(client):
    answer = client.chat("tiny-think", [user("Hello")], think=True, options=COLD)
    assert answer.message.thinking
    assert answer.message.content == HELLO
    assert client.chat("tiny-think", [user("Hello")], think=False, options=COLD).message.thinking is None


def test_an_answer_keeps_to_a_schema(client):
    answer = client.chat("tiny-chat", [user(ADA)], format=PERSON, options=COLD)
    assert json.loads(answer.message.content) == {"name": "Ada", "age": 36}


def test_a_prompt_is_continued_in_a_stream(client):
    parts = list(client.generate("tiny-chat", "Hello", options=COLD, stream=True))
    assert "".join(part.response for part in parts) == HELLO
    assert parts[-1].context


def test_a_returned_context_continues_the_conversation(client):
    first = client.generate("tiny-chat", "My name is Rumpel.", options=COLD)
    assert "Rumpel" in client.generate("tiny-chat", "What is my name?", context=first.context, options=COLD).response


def test_a_model_is_loaded_and_unloaded(client, until):
    assert client.generate("tiny-chat", keep_alive="5m").done_reason == "load"
    (running,) = [model for model in client.ps().models if model.model == "tiny-chat:latest"]
    assert running.context_length > 0
    assert running.expires_at.tzinfo is not None
    assert client.generate("tiny-chat", keep_alive=0).done_reason == "unload"
    until(lambda: "tiny-chat:latest" not in [model.model for model in client.ps().models])


def test_texts_become_vectors(client):
    vectors = client.embed("tiny-embed", ["the sky is blue", "hello"]).embeddings
    assert [len(vector) for vector in vectors] == [64, 64]
    assert len(client.embeddings("tiny-embed", "hello").embedding) == 64


def test_a_name_is_made_copied_used_and_deleted(client):
    assert client.create("rumpel", from_="tiny-chat", system="You are Rumpel.", parameters=COLD).status == "success"
    client.copy("rumpel", "stilzchen")
    assert client.chat("stilzchen", [user("Who are you?")]).message.content.startswith("I am Rumpel")
    for name in ("rumpel", "stilzchen"):
        assert client.delete(name).status == "success"
    assert not {"rumpel:latest", "stilzchen:latest"} & {model.model for model in client.list().models}


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
