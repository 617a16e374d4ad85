"""What is sent to LM Studio: only fields it knows, only what was said."""

from __future__ import annotations

import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_shim.lmstudio.model import Model, Support
from flask_shim.translate.ollama.payloads import (
    LONGEST_TTL_SECONDS,
    Defaults,
    chat_payload,
    completion_payload,
    generate_payload,
    to_other_server,
    to_reasoning_effort,
    to_tool,
    to_ttl,
)
from flask_shim.translate.ollama.requests import ChatRequest, GenerateRequest, Message, ToolCall
from flask_shim.translate.ollama.sampling_options import _CHECKS

MODEL = Model(key="qwen/qwen3-8b")
NOTHING = Defaults()
HELLO = (Message("user", "Hello"),)
BARE = {"stream": True, "stream_options": {"include_usage": True}}
KNOWN = {
    *("model", "messages", "prompt", "stream", "stream_options", "temperature", "top_p", "top_k", "min_p", "seed"),
    *("repeat_penalty", "presence_penalty", "frequency_penalty", "max_tokens", "stop", "ttl", "response_format"),
    *("reasoning_effort", "tools", "logprobs", "top_logprobs"),
}


def chat(defaults=NOTHING, model=MODEL, **fields):
    return chat_payload(ChatRequest(model="m", **{"messages": HELLO, **fields}), model, defaults)


def generate(history=(), defaults=NOTHING, **fields):
    return generate_payload(GenerateRequest(model="m", prompt="Hello", **fields), history, MODEL, defaults)


def turns(payload):
    return [(message["role"], message["content"]) for message in payload["messages"]]


def test_a_minimal_chat_gets_no_further_fields():
    assert chat() == {"model": "qwen/qwen3-8b", "messages": [{"role": "user", "content": "Hello"}], **BARE}


def test_a_bare_prompt_is_a_chat_of_one_turn():
    assert generate() == chat()


def test_a_prompt_without_template_is_sent_unchanged():
    ask = GenerateRequest(model="m", prompt="x", options={"seed": 1})
    assert completion_payload(ask, "raw", MODEL, NOTHING) == {
        "model": "qwen/qwen3-8b",
        "prompt": "raw",
        "seed": 1,
        **BARE,
    }


def test_defaults_fill_missing_fields():
    defaults = Defaults(temperature=0.8, stop=("x",), system_prompt="Be kind.", ttl_seconds=60)
    payload = chat(defaults)
    assert (payload["temperature"], payload["stop"], payload["ttl"]) == (0.8, ["x"], 60)
    assert turns(payload) == [("system", "Be kind."), ("user", "Hello")]


def test_values_of_the_request_win_over_defaults():
    defaults = Defaults(temperature=0.8, stop=("x",), system_prompt="Be kind.", ttl_seconds=60)
    messages = (Message("system", "Be brief."), *HELLO)
    payload = chat(defaults, messages=messages, options={"temperature": 0, "stop": ["y"]}, keep_alive=5)
    assert (payload["temperature"], payload["stop"], payload["ttl"]) == (0, ["y"], 5)
    assert turns(payload) == [("system", "Be brief."), ("user", "Hello")]


def test_a_late_system_turn_does_not_replace_the_default_system_prompt():
    late = Message("system", "Be brief.")
    assert turns(chat(Defaults(system_prompt="Be kind."), messages=(*HELLO, late)))[0] == ("system", "Be kind.")


HISTORY = (Message("user", "Hi"), Message("assistant", "Hello!"))


@pytest.mark.parametrize(
    ("system", "default", "history", "sent"),
    [
        ("", "", (), [("user", "Hello")]),
        ("Be brief.", "", (), [("system", "Be brief."), ("user", "Hello")]),
        ("", "Be kind.", (), [("system", "Be kind."), ("user", "Hello")]),
        ("Be brief.", "Be kind.", (), [("system", "Be brief."), ("user", "Hello")]),
        ("", "", HISTORY, [("user", "Hi"), ("assistant", "Hello!"), ("user", "Hello")]),
        (
            "Be brief.",
            "",
            HISTORY,
            [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello!"), ("user", "Hello")],
        ),
        (
            "Be brief.",
            "",
            (Message("system", "Old."), *HISTORY[:1]),
            [("system", "Be brief."), ("user", "Hi"), ("user", "Hello")],
        ),
        (
            "",
            "Be kind.",
            (Message("system", "Old."), *HISTORY[:1]),
            [("system", "Old."), ("user", "Hi"), ("user", "Hello")],
        ),
    ],
)
def test_a_prompt_comes_after_its_system_prompt_and_history(system, default, history, sent):
    assert turns(generate(history, Defaults(system_prompt=default), system=system)) == sent


def test_pictures_go_with_the_prompt():
    payload = generate(images=("iVBORw0KGgo=",))
    assert [part["type"] for part in payload["messages"][0]["content"]] == ["text", "image_url"]


@pytest.mark.parametrize(
    ("format_", "schema"),
    [
        ("json", {"type": "object"}),
        ({"type": "object", "properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}),
    ],
)
def test_every_structured_format_is_a_schema(format_, schema):
    assert chat(format=format_)["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": schema},
    }


@pytest.mark.parametrize(
    ("think", "reasoning", "default", "effort"),
    [
        (None, Support.YES, "on", None),
        (None, Support.UNKNOWN, None, None),
        (True, Support.YES, "on", None),
        (True, Support.YES, "off", "medium"),
        (True, Support.UNKNOWN, None, None),
        (False, Support.YES, "on", "none"),
        (False, Support.UNKNOWN, None, "none"),
        (False, Support.NO, None, None),
        ("low", Support.YES, "on", "low"),
        ("medium", Support.YES, "on", "medium"),
        ("high", Support.UNKNOWN, None, "high"),
        ("max", Support.YES, "on", "high"),
        ("low", Support.NO, None, None),
        ("bogus", Support.YES, "on", None),
    ],
)
def test_thinking_is_mapped_to_lm_studios_efforts(think, reasoning, default, effort):
    model = Model(key="m", reasoning=reasoning, reasoning_default=default)
    assert to_reasoning_effort(think, model) == effort
    assert chat(model=model, think=think).get("reasoning_effort") == effort


@pytest.mark.parametrize(
    ("options", "default", "think", "effort"),
    [
        ("off on", "on", "low", None),
        ("off on", "off", "low", "medium"),
        ("off on", "off", True, "medium"),
        ("off on", "on", False, "none"),
        ("low medium high", "medium", "high", "high"),
        ("low medium high", "medium", "max", None),
        ("low medium high", "medium", "bogus", None),
        ("low medium high", "medium", True, None),
        ("low medium high", "medium", False, None),
        ("low medium max", "low", "max", "max"),
        ("off low high max", "off", True, "high"),
        ("off low high max", "off", "bogus", None),
        ("off low high max", "low", False, "none"),
        ("off low high max", "low", None, None),
    ],
)
def test_an_unknown_level_means_the_models_default(options, default, think, effort):
    model = Model(key="m", reasoning=Support.YES, reasoning_options=tuple(options.split()), reasoning_default=default)
    assert chat(model=model, think=think).get("reasoning_effort") == effort


WEATHER = {"name": "get_weather", "description": "d", "parameters": {"type": "object", "properties": {"city": {}}}}


@pytest.mark.parametrize(
    ("function", "sent"),
    [
        (WEATHER, WEATHER),
        ({"name": "f"}, {"name": "f"}),
        ({"name": "f", "parameters": None}, {"name": "f"}),
        (
            {"name": "f", "description": None, "parameters": {"properties": None, "required": None}},
            {"name": "f", "parameters": {"type": "object", "properties": {}}},
        ),
        (
            {"name": "f", "parameters": {"properties": {"a": None, "b": {}}}},
            {"name": "f", "parameters": {"type": "object", "properties": {"b": {}}}},
        ),
        ({"name": "f", "parameters": {}}, {"name": "f", "parameters": {"type": "object", "properties": {}}}),
        ({"name": "f", "parameters": {"type": ""}}, {"name": "f", "parameters": {"type": "object", "properties": {}}}),
        (
            {"name": "f", "parameters": {"required": []}},
            {"name": "f", "parameters": {"required": [], "type": "object", "properties": {}}},
        ),
        ({"name": "f", "parameters": ["odd"]}, {"name": "f", "parameters": ["odd"]}),
    ],
)
def test_tools_have_parameters_lm_studio_accepts(function, sent):
    assert to_tool({"type": "function", "function": function}) == {"type": "function", "function": sent}


def test_tools_are_sent_in_their_order_and_left_as_they_were():
    tools = (
        {"type": "function", "function": {"name": "f", "parameters": {}}},
        {"type": "function", "function": WEATHER},
    )
    assert [tool["function"]["name"] for tool in chat(tools=tools)["tools"]] == ["f", "get_weather"]
    assert tools[0]["function"]["parameters"] == {}
    assert "tools" not in chat(tools=())


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({}, {}),
        ({"top_logprobs": 3}, {}),
        ({"logprobs": True}, {"logprobs": True}),
        ({"logprobs": True, "top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}),
    ],
)
def test_logprobs_are_requested_when_wanted(fields, sent):
    assert {name: value for name, value in chat(**fields).items() if "logprobs" in name} == sent


NAMES = st.sampled_from([*_CHECKS, "integrations", "plugins", "mirostat", "model", "stream", "n", "tool_choice"])
MESSAGES = st.builds(
    Message,
    role=st.sampled_from(["user", "assistant", "system", "tool", "developer", "mcp", ""]),
    content=st.text(max_size=5),
    tool_calls=st.lists(
        st.builds(ToolCall, st.text(max_size=3), st.dictionaries(st.text(max_size=3), st.integers(-(2**63), 2**63)))
    ).map(tuple),
    tool_name=st.text(max_size=3),
)


@given(
    st.dictionaries(NAMES, st.integers(1, 100)),
    st.lists(MESSAGES, max_size=4).map(tuple),
    st.sampled_from([None, True, False, "low", "max"]),
    st.sampled_from([None, "json", {"type": "object"}]),
    st.none() | st.floats(min_value=0),
    st.booleans(),
)
def test_only_known_fields_are_ever_sent(options, messages, think, format_, keep_alive, logprobs):
    options.pop("stop", None)
    tool = {"type": "function", "function": {"name": "f"}, "server_url": "http://example.com"}
    fields = {"options": options, "think": think, "format": format_, "keep_alive": keep_alive, "logprobs": logprobs}
    payloads = [
        chat(messages=messages, tools=(tool,), **fields),
        generate(messages, **fields),
        completion_payload(GenerateRequest(model="m", **fields), "x", MODEL, NOTHING),
    ]
    for payload in payloads:
        assert set(payload) <= KNOWN
        assert payload["stream"] is True
        orjson.dumps(payload)
    assert payloads[0]["tools"] == [{"type": "function", "function": {"name": "f"}}]
    keys = {key for payload in payloads for message in payload.get("messages", ()) for key in message}
    assert keys <= {"role", "content", "tool_calls", "tool_call_id"}


@pytest.mark.parametrize(
    ("keep_alive", "defaults", "ttl"),
    [
        (None, {}, None),
        (None, {"ttl_seconds": 60}, 60),
        (None, {"ttl_seconds": math.inf}, LONGEST_TTL_SECONDS),
        (300.0, {"ttl_seconds": 60}, 300),
        (0.2, {}, 1),
        (1.5, {}, 2),
        (math.inf, {}, LONGEST_TTL_SECONDS),
        (9e9, {}, LONGEST_TTL_SECONDS),
        (0, {}, None),
        (0, {"ttl_seconds": 60}, None),
        (0, {"unload_ttl_seconds": 5}, 5),
        (0, {"unload_ttl_seconds": 9e9}, LONGEST_TTL_SECONDS),
    ],
)
def test_keep_alive_becomes_a_ttl_lm_studio_can_count(keep_alive, defaults, ttl):
    assert to_ttl(keep_alive, Defaults(**defaults)) == ttl


@given(st.none() | st.floats(min_value=0), st.floats(min_value=0), st.floats(min_value=0))
def test_a_ttl_is_a_whole_number_of_seconds_that_does_not_fire_at_once(keep_alive, ttl, unload):
    sent = to_ttl(keep_alive, Defaults(ttl_seconds=ttl, unload_ttl_seconds=unload))
    assert sent is None or (type(sent) is int and 1 <= sent * 1000 < 2**31)


@pytest.mark.parametrize(
    ("payload", "context", "sent"),
    [
        ({"messages": [], "ttl": 300}, 4096, {"messages": []}),
        ({"prompt": "h\u00e9"}, 4096, {"prompt": "h\u00e9", "max_tokens": 4096 - 3 - 8}),
        ({"prompt": "half of \ud83d"}, 4096, {"prompt": "half of \ud83d", "max_tokens": 4096 - 9 - 8}),
        ({"prompt": "hi", "max_tokens": 5}, 4096, {"prompt": "hi", "max_tokens": 5}),
        ({"prompt": "hi"}, None, {"prompt": "hi"}),
        ({"prompt": "x" * 4090}, 4096, {"prompt": "x" * 4090}),
        ({"prompt": ["hi"]}, 4096, {"prompt": ["hi"]}),
    ],
)
def test_text_completion_of_another_server_has_a_limit_that_fits(payload, context, sent):
    assert to_other_server(payload, Model(key="m", max_context_length=context)) == sent
