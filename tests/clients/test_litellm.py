"""LiteLLM, on which aider and many agents stand. It cannot be installed beside OpenAI's library of today."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("litellm", reason="LiteLLM wants an environment of its own")

import litellm
from clients.known import ADA, HELLO, LEAKS_CONNECTIONS, OSLO, RAIN, RAINY, WEATHER, user

# pydantic warns of the types it declares.
pytestmark = [*LEAKS_CONNECTIONS, pytest.mark.filterwarnings("ignore::UserWarning")]


@pytest.fixture
def complete(url):
    """Return a function that asks coldly."""

    def ask(*messages, model="ollama_chat/tiny-chat", **more):
        return litellm.completion(model, list(messages), api_base=url, temperature=0, **more)

    return ask


def test_a_chat_is_answered_whole(complete):
    answer = complete(user("Hello"))
    assert answer.choices[0].message.content == HELLO
    assert answer.usage.total_tokens > 0


def test_a_chat_is_streamed(complete):
    chunks = complete(user("Hello"), stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == HELLO


def test_a_tool_is_called_and_its_result_used(complete):
    asked = complete(user(OSLO), tools=[WEATHER]).choices[0].message
    (call,) = asked.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Oslo"}
    result = {"role": "tool", "tool_call_id": call.id, "content": RAIN}
    assert complete(user(OSLO), asked, result, tools=[WEATHER]).choices[0].message.content == RAINY


def test_an_answer_is_json(complete):
    answer = complete(user(ADA), response_format={"type": "json_object"})
    assert json.loads(answer.choices[0].message.content) == {"name": "Ada", "age": 36}


def test_what_a_model_can_do_is_known(url):
    assert litellm.get_model_info("ollama_chat/tiny-chat", api_base=url)["supports_function_calling"]


def test_texts_become_vectors(url):
    answer = litellm.embedding("ollama/tiny-embed", ["a", "b"], api_base=url)
    assert [len(row["embedding"]) for row in answer.data] == [64, 64]
