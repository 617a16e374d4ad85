"""OpenAI's requests: what LM Studio understands stays as it is, what it would refuse is said differently."""

from __future__ import annotations

import base64
import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pictures import opened, picture

from flask_shim.errors import BadRequest, Forbidden
from flask_shim.lmstudio.model import Model, Support
from flask_shim.translate.openai.chat_completions import (
    adapt,
    adapt_chat,
    check_chat,
    check_completion,
    check_mcp,
    to_think,
    uses_mcp,
)

WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}
TIME = {"type": "function", "function": {"name": "get_time"}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": {"type": "object"}}}
MINE = {"type": "json_schema", "json_schema": {"name": "mine", "schema": {"type": "array"}}}


def adapted(**body):
    return adapt(body)


UNDERSTOOD = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "Be brief.", "name": "x"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Hello"}],
            "copilot_cache_control": {"type": "ephemeral"},
        },
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "done"},
    ],
    "stream": True,
    "stream_options": {"include_usage": True},
    "temperature": 0.1,
    "n": 1,
    "tools": [WEATHER, TIME],
    "tool_choice": "auto",
    "response_format": MINE,
    "max_tokens": 5,
    "unknown": {"nested": [1, 2]},
}


def test_what_lm_studio_accepts_is_unchanged():
    before = copy.deepcopy(UNDERSTOOD)
    assert adapt(UNDERSTOOD) == before
    assert before == UNDERSTOOD


def test_nulls_are_left_out():
    assert adapted(temperature=None, stop=None, model="m", seed=0, stream=False) == {
        "model": "m",
        "seed": 0,
        "stream": False,
    }


@pytest.mark.parametrize(
    ("wish", "sent"),
    [({"type": "json_object"}, SCHEMA), ({"type": "text"}, {"type": "text"}), (MINE, MINE), ("json", "json")],
)
def test_any_json_object_is_requested_by_a_schema(wish, sent):
    assert adapted(response_format=wish)["response_format"] == sent


@pytest.mark.parametrize(
    ("choice", "tools"),
    [
        ({"type": "function", "function": {"name": "get_time"}}, [TIME]),
        ({"type": "function", "name": "get_time"}, [TIME]),
        ({"type": "function", "function": {"name": "unknown"}}, [WEATHER, TIME]),
        ({"type": "function", "function": "get_time"}, [WEATHER, TIME]),
        ({"type": "function"}, [WEATHER, TIME]),
        ({"type": "function", "function": {"name": ["get_time"]}}, [WEATHER, TIME]),
        ({}, [WEATHER, TIME]),
    ],
)
def test_a_tool_to_be_called_is_the_only_one_offered(choice, tools):
    payload = adapted(tools=[WEATHER, TIME], tool_choice=choice)
    assert (payload["tool_choice"], payload["tools"]) == ("required", tools)


@pytest.mark.parametrize(
    ("choice", "stays"), [("required", False), ({"type": "function", "name": "get_time"}, False), ("auto", True)]
)
def test_a_call_that_is_required_has_no_format(choice, stays):
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}
    payload = adapted(tools=[WEATHER, TIME], tool_choice=choice, response_format=wanted)
    assert ("response_format" in payload) is stays
    assert "response_format" in adapted(tool_choice=choice, response_format=wanted)


def test_a_tool_whose_name_is_no_text_is_left_to_lm_studio():
    odd = {"type": "function", "function": {"name": {}}}
    assert adapted(tools=[odd], tool_choice={"type": "function", "name": "get_time"})["tools"] == [odd]


CHOSEN = [{"type": "function", "function": {"name": "get_time"}}]


@pytest.mark.parametrize(
    ("choice", "mode", "tools"),
    [
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": CHOSEN}}, "auto", [TIME]),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": CHOSEN}}, "required", [TIME]),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}, "auto", [WEATHER, TIME]),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": 5}}, "auto", [WEATHER, TIME]),
        ({"type": "auto"}, "auto", [WEATHER, TIME]),
        ({"type": "none"}, "none", [WEATHER, TIME]),
        ({"type": "any"}, "required", [WEATHER, TIME]),
    ],
)
def test_mode_of_a_tool_choice_is_kept(choice, mode, tools):
    payload = adapted(tools=[WEATHER, TIME], tool_choice=choice)
    assert (payload["tool_choice"], payload["tools"]) == (mode, tools)


@pytest.mark.parametrize("tools", [{"tools": []}, {"tools": None}, {}])
def test_no_tools_are_left_out_with_their_choice_since_vllm_rejects_them(tools):
    assert adapt({"messages": [], "tool_choice": "auto", **tools}) == {"messages": []}


@pytest.mark.parametrize("choice", ["auto", "none", "required"])
def test_choices_in_one_word_stay(choice):
    assert adapted(tool_choice=choice, tools=[WEATHER]) == {"tool_choice": choice, "tools": [WEATHER]}


@pytest.mark.parametrize(
    ("tool", "sent"),
    [
        (
            {"type": "function", "function": {"name": "f", "parameters": {}}},
            {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}},
        ),
        ({"type": "function", "name": "f", "parameters": {}}, {"type": "function", "name": "f", "parameters": {}}),
        ({"name": "f", "input_schema": {}}, {"name": "f", "input_schema": {}}),
        ("odd", "odd"),
    ],
)
def test_tools_get_parameters_lm_studio_accepts(tool, sent):
    assert adapted(tools=[tool])["tools"] == [sent]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"max_completion_tokens": 7}, {"max_completion_tokens": 7, "max_tokens": 7}),
        ({"max_completion_tokens": 7, "max_tokens": 5}, {"max_completion_tokens": 7, "max_tokens": 5}),
        ({"stream_options": {"include_usage": True}}, {}),
        ({"stream_options": {"include_usage": True}, "stream": False}, {"stream": False}),
    ],
)
def test_limits_and_streams_have_their_older_names(given, sent):
    assert adapt(given) == sent


@pytest.mark.parametrize(
    ("turn", "sent"),
    [
        ({"role": "developer", "content": "x"}, {"role": "system", "content": "x"}),
        ({"role": "tool", "tool_call_id": "1", "content": None}, {"role": "tool", "tool_call_id": "1", "content": ""}),
        ({"role": "tool"}, {"role": "tool", "content": "", "tool_call_id": "call_1"}),
        ({"role": "assistant", "tool_calls": [{}]}, {"role": "assistant", "tool_calls": [{}], "content": ""}),
        ({"role": "assistant", "content": None}, {"role": "assistant", "content": None}),
        (
            {"role": "tool", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}, "c"]},
            {"role": "tool", "content": "abc", "tool_call_id": "call_1"},
        ),
        ({"role": "developer", "content": [{"type": "text", "text": "a"}]}, {"role": "system", "content": "a"}),
        ({"role": "user", "content": ["a", 5, None]}, {"role": "user", "content": ["a", 5, None]}),
    ],
)
def test_turns_get_the_form_that_lm_studio_requires(turn, sent):
    assert adapted(messages=[turn])["messages"] == [sent]


def data_url(format_, image=None):
    return f"data:image/{format_.lower()};base64,{base64.b64encode(image or picture(format_)).decode()}"


def sent_url(part):
    (turn,) = adapted(messages=[{"role": "user", "content": [part]}])["messages"]
    return turn["content"][0]["image_url"]["url"]


@pytest.mark.parametrize("format_", ["WEBP", "GIF", "BMP"])
def test_pictures_that_lm_studio_rejects_become_png(format_):
    url = sent_url({"type": "image_url", "image_url": {"url": data_url(format_), "detail": "low"}})
    assert opened(url).format == "PNG"


@pytest.mark.parametrize(
    "url",
    [data_url("PNG"), data_url("JPEG"), "https://example.com/x.webp", "data:image/webp;base64,!!!", "data:,x", "x"],
    ids=["png", "jpeg", "web", "broken base64", "data", "text"],
)
def test_other_addresses_of_pictures_stay(url):
    part = {"type": "image_url", "image_url": {"url": url, "media_type": "image/x"}}
    assert adapted(messages=[{"role": "user", "content": [part]}])["messages"][0]["content"] == [part]


def test_a_bare_address_of_a_picture_is_wrapped():
    assert sent_url({"type": "image_url", "image_url": data_url("PNG")}) == data_url("PNG")


def test_a_picture_that_cannot_be_read_is_the_clients_fault():
    with pytest.raises(BadRequest, match="an image"):
        sent_url({"type": "image_url", "image_url": {"url": data_url("WEBP", b"hello")}})


@pytest.mark.parametrize(
    "body",
    [
        {"integrations": ["mcp/playwright"]},
        {"plugins": [{"id": "x"}]},
        {"mcp_servers": [{"url": "http://example.com"}]},
        {"tools": [WEATHER, {"type": "mcp", "server_url": "http://example.com"}]},
    ],
)
def test_mcp_is_refused_unless_it_is_allowed(body):
    assert uses_mcp(body)
    with pytest.raises(Forbidden, match="SHIM_ALLOW_MCP"):
        check_mcp(body, allowed=False)
    check_mcp(body, allowed=True)


@pytest.mark.parametrize(
    "body", [{}, {"integrations": []}, {"tools": [WEATHER]}, {"tools": None}, {"tools": "mcp"}, UNDERSTOOD]
)
def test_what_is_not_mcp_is_accepted(body):
    check_mcp(body, allowed=False)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "f", "tool", "data:image/webp;base64,x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "function", "name", "parameters", "content", "role", "image_url", "url", "text", "tool_calls"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)
KEYS = [
    "response_format",
    "tool_choice",
    "tools",
    "max_completion_tokens",
    "stream_options",
    "stream",
    "messages",
    "plugins",
]


@given(st.dictionaries(st.sampled_from(KEYS), JSON))
def test_any_body_can_be_adapted_and_is_left_as_it_was(body):
    before = copy.deepcopy(body)
    uses_mcp(body)
    adapt(body)
    assert body == before


@pytest.mark.parametrize(
    ("effort", "think"),
    [
        (None, None),
        ("", None),
        ("none", False),
        ("minimal", "low"),
        ("low", "low"),
        ("medium", "medium"),
        ("high", "high"),
        ("xhigh", "max"),
        ("ultra", "max"),
        ("max", "max"),
    ],
)
def test_an_effort_is_read_as_ollama_reads_it(effort, think):
    assert to_think(effort) == think


@pytest.mark.parametrize(
    ("effort", "written"),
    [("zip", '"zip"'), ("LOW", '"LOW"'), (" ", '" "'), (1, "1"), (0, "0"), (False, "false"), (["low"], '["low"]')],
)
def test_an_unknown_effort_is_rejected_with_the_known_ones(effort, written):
    with pytest.raises(BadRequest) as caught:
        to_think(effort)
    assert caught.value.text == (
        f"invalid reasoning value: {written} "
        '(must be "minimal", "low", "medium", "high", "xhigh", "ultra", "max", or "none")'
    )


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ({"reasoning_effort": "medium"}, "medium"),
        ({"reasoning_effort": "xhigh"}, "xhigh"),
        ({"reasoning_effort": "max"}, "high"),
        ({"reasoning": {"effort": "ultra"}}, "high"),
        ({"reasoning": {"effort": "low"}, "reasoning_effort": "high"}, "low"),
        ({"reasoning": {"summary": "auto"}, "reasoning_effort": "high"}, "high"),
    ],
)
def test_a_chat_gets_an_effort_of_lm_studio(said, sent):
    assert adapt_chat({"messages": [], **said})["reasoning_effort"] == sent


@pytest.mark.parametrize("said", [{}, {"reasoning": {}}, {"reasoning": {"effort": None}}])
def test_a_chat_without_an_effort_gets_none(said):
    assert adapt_chat({"messages": [], **said}) == {"messages": [], **said}


def test_an_empty_effort_is_not_sent():
    assert adapt_chat({"messages": [], "reasoning_effort": ""}) == {"messages": []}


@pytest.mark.parametrize(
    "said", [{"reasoning_effort": "zip"}, {"reasoning": {"effort": "zip"}}, {"reasoning_effort": 5}]
)
def test_a_chat_with_an_unknown_effort_is_refused(said):
    with pytest.raises(BadRequest, match="invalid reasoning value"):
        adapt_chat(said, Model(key="k", reasoning=Support.NO))


@pytest.mark.parametrize("wish", [{"reasoning_effort": "none"}, {"reasoning_effort": "high"}, {"reasoning": {}}])
def test_no_effort_is_sent_for_a_model_that_cannot_think(wish):
    body = {"messages": [], **wish}
    assert adapt_chat(body, Model(key="k", reasoning=Support.NO)) == {"messages": []}


@pytest.mark.parametrize("body", [{}, {"messages": None}, {"messages": []}])
def test_a_chat_without_messages_is_refused(body):
    with pytest.raises(BadRequest) as caught:
        check_chat(body)
    assert caught.value.text == "[] is too short - 'messages'"


@pytest.mark.parametrize(
    ("stop", "go_type"), [(1, "float64"), (1.5, "float64"), (True, "bool"), (None, "<nil>"), ([], "[]interface {}")]
)
def test_a_stop_that_is_no_text_is_refused(stop, go_type):
    with pytest.raises(BadRequest) as caught:
        check_completion({"stop": ["a", stop]})
    assert caught.value.text == f"invalid type for 'stop' field: {go_type}"


@pytest.mark.parametrize("body", [{}, {"stop": None}, {"stop": "a"}, {"stop": ["a", "b"]}])
def test_a_completion_with_texts_to_stop_at_passes(body):
    assert check_completion(body) is None
