"""Anthropic's own library against the same port, as Claude Code uses it."""

from __future__ import annotations

import pytest

pytest.importorskip("anthropic", reason="the clients extra is not installed")

import anthropic
from clients.known import HELLO, OSLO, RAIN, RAINY, STORY, WEATHER_SCHEMA, user
from support.agent_sessions import BILLING

from flask_shim.translate.chat_turns import text_part

WEATHER = {"name": "get_weather", "description": "Get the current weather of a city", "input_schema": WEATHER_SCHEMA}


@pytest.fixture
def client(url):
    with anthropic.Anthropic(base_url=url, auth_token="ollama", max_retries=0) as client:
        yield client


@pytest.fixture
def asked():
    """Return what every request has."""
    # The library no longer knows the temperature; the route does.
    return {"model": "tiny-chat", "max_tokens": 60, "extra_body": {"temperature": 0}}


def test_a_message_is_answered_whole_and_its_tokens_counted(client, asked):
    answer = client.messages.create(messages=[user("Hello")], **asked)
    assert [(block.type, block.text) for block in answer.content] == [("text", HELLO)]
    assert answer.stop_reason == "end_turn"
    assert answer.usage.output_tokens > 0
    counted = client.messages.count_tokens(model="tiny-chat", messages=[user("Hello")])
    assert counted.input_tokens == answer.usage.input_tokens + (answer.usage.cache_read_input_tokens or 0) > 0


def test_the_next_turn_of_claude_code_is_read_from_the_cache(client, asked):
    for number in range(2):
        system = [text_part(BILLING.format(number)), text_part("You are Rumpel. " * 20)]
        with client.messages.stream(messages=[user("Hello")], system=system, **asked) as answer:
            usage = answer.get_final_message().usage
    assert usage.cache_read_input_tokens > 100
    assert 0 < usage.input_tokens < 50


def test_a_message_is_streamed(client, asked):
    with client.messages.stream(messages=[user("Hello")], system="You are kind.", **asked) as stream:
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert text == message.content[0].text
    assert message.stop_reason == "end_turn"
    assert min(message.usage.input_tokens, message.usage.output_tokens) > 0


def test_a_tool_is_called_and_its_result_used(client, asked):
    answer = client.messages.create(messages=[user(OSLO)], tools=[WEATHER], **asked)
    (use,) = [block for block in answer.content if block.type == "tool_use"]
    assert (use.name, use.input, answer.stop_reason) == ("get_weather", {"city": "Oslo"}, "tool_use")
    result = {"type": "tool_result", "tool_use_id": use.id, "content": RAIN}
    history = [user(OSLO), {"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
    assert client.messages.create(messages=history, tools=[WEATHER], **asked).content[0].text == RAINY


def test_a_limit_cuts_a_message(client, asked):
    asked["max_tokens"] = 3
    answer = client.messages.create(messages=[user(STORY)], **asked)
    assert (answer.stop_reason, answer.usage.output_tokens) == ("max_tokens", 3)


def test_an_unknown_model_is_not_found(client, asked):
    with pytest.raises(anthropic.NotFoundError, match="model 'nope' not found"):
        client.messages.create(**{**asked, "model": "nope"}, messages=[user("Hello")])
