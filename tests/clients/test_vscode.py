"""VS Code's built-in Ollama provider, replayed."""

from __future__ import annotations

import pytest
from clients.known import HELLO, OSLO, RAIN, RAINY, WEATHER, user
from clients.vscode import Broken, Editor, read


@pytest.fixture
def editor(demo):
    return Editor(demo.port)


def test_every_model_is_discovered(editor):
    models = {model.id: model for model in editor.discover()}
    assert models["tiny-chat:latest"].has_tools
    assert models["tiny-vision:latest"].has_vision
    assert not models["plain:latest"].has_tools
    assert all(model.context in (512, 4096, 8192) for model in models.values())


def test_no_two_models_look_the_same_in_the_picker(editor):
    names = [model.name for model in editor.discover()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("base", ["/", "/v1", "/v1/"])
def test_an_address_with_something_at_its_end_does(demo, base):
    assert Editor(demo.port, base).discover()


def test_a_turn_is_answered(editor):
    answer = editor.chat("tiny-chat:latest", [user("Hello")])
    assert (answer.text, answer.finish_reason) == (HELLO, "stop")
    assert answer.usage["total_tokens"] > 0


def test_a_turn_in_parts_is_answered(editor):
    system = {"role": "system", "content": "You are Rumpel.", "copilot_cache_control": {"type": "ephemeral"}}
    part = {"type": "text", "text": "Who are you?", "copilot_cache_control": {"type": "ephemeral"}}
    answer = editor.chat("tiny-chat:latest", [system, {"role": "user", "content": [part], "name": "x"}])
    assert answer.text.startswith("I am Rumpel")


def test_a_tool_is_called_and_its_result_used(editor):
    asked = editor.chat("tiny-chat:latest", [user(OSLO)], [WEATHER])
    assert asked.calls == [("get_weather", {"city": "Oslo"})]
    call = {"id": "x", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}}
    found = [
        user(OSLO),
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "x", "content": RAIN},
    ]
    assert editor.chat("tiny-chat:latest", found, [WEATHER]).text == RAINY


def test_two_calls_stay_two(editor):
    answer = editor.chat("tiny-chat:latest", [user("What is the weather in Rome and Cairo?")], [WEATHER])
    assert answer.calls == [("get_weather", {"city": "Rome"}), ("get_weather", {"city": "Cairo"})]


def test_a_tool_can_be_forced(editor):
    choice = {"type": "function", "function": {"name": "get_weather"}}
    assert editor.chat("tiny-chat:latest", [user(OSLO)], [WEATHER], tool_choice=choice).calls


def test_thinking_is_not_taken_for_the_answer(editor):
    assert editor.chat("tiny-think:latest", [user("Hello")]).text == HELLO


@pytest.mark.parametrize(
    ("model", "messages", "words"),
    [
        ("nope:latest", [user("Hello")], "404 .*not found"),
        ("tiny-chat:latest", [], "400 .*messages"),
        ("tiny-embed:latest", [user("Hello")], "400 .*does not support chat"),
        ("plain:latest", [user("word " * 20000)], "context"),
    ],
)
def test_a_failure_is_shown_with_its_text(editor, model, messages, words):
    with pytest.raises(Broken, match=words):
        editor.chat(model, messages)


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (
            'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\ndata: [DONE]\n\n',
            "no choices",
        ),
        ('data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n', "no response"),
        ('data: {"error":{"message":"x"}}\n\n', "Server error"),
    ],
)
def test_the_replay_breaks_where_the_editor_does(stream, words):
    with pytest.raises(Broken, match=words):
        read(stream)
