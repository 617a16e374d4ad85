"""Messages requests as chats."""

from __future__ import annotations

import pytest

from flask_shim.errors import BadRequest
from flask_shim.lmstudio.model import Model
from flask_shim.translate.anthropic.messages_request import (
    MessagesRequest,
    check_request,
    to_counting_payload,
    to_payload,
)
from flask_shim.translate.ollama.payloads import Defaults

HI = ({"role": "user", "content": "hi"},)
WEATHER = {"name": "get_weather", "description": "d", "input_schema": {"type": "object", "properties": {"city": {}}}}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}


def ask(**fields):
    return MessagesRequest(**{"model": "tiny", "max_tokens": 9, "messages": HI, **fields})


def payload(**fields):
    return to_payload(ask(**fields), Model(key="tiny-key"), Defaults())


def messages(*turns, **fields):
    return payload(messages=turns, **fields)["messages"]


def user(*blocks):
    return {"role": "user", "content": list(blocks)}


def test_a_minimal_request_becomes_a_stream_with_usage():
    assert payload() == {
        "model": "tiny-key",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 9,
    }


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"model": "", "max_tokens": 0, "messages": ()}, "model is required"),
        ({"max_tokens": 0, "messages": ()}, "max_tokens is required and must be positive"),
        ({"max_tokens": -1}, "max_tokens is required and must be positive"),
        ({"messages": ()}, "messages is required"),
    ],
)
def test_missing_fields_are_reported_in_ollamas_order(fields, text):
    with pytest.raises(BadRequest) as caught:
        check_request(ask(**fields))
    assert caught.value.text == text


@pytest.mark.parametrize(
    "system", ["Be brief.\n\nBe kind.", [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}]]
)
def test_the_system_text_is_first(system):
    assert messages(*HI, system=system) == [{"role": "system", "content": "Be brief.\n\nBe kind."}, *HI]


def test_later_system_turns_stay_at_their_place():
    turns = [*HI, {"role": "system", "content": [{"type": "text", "text": "Be kind."}]}]
    assert messages(*turns, system="Be brief.") == [
        {"role": "system", "content": "Be brief."},
        *HI,
        {"role": "system", "content": "Be kind."},
    ]


def test_texts_and_pictures_become_parts_of_a_chat():
    assert messages(user({"type": "text", "text": "What is this?"}, IMAGE)) == [
        {"role": "user", "content": [{"type": "text", "text": "What is this?"}, PICTURE]}
    ]


def test_an_agents_turn_stays_one_and_results_precede_user_text():
    said = messages(
        *HI,
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": ""},
                {"type": "redacted_thinking", "data": "x"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "c1", "name": "get_weather", "input": {"city": "Paris"}},
            ],
        },
        user(
            {"type": "text", "text": "Go on."},
            {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "sunny"}, IMAGE]},
        ),
    )
    assert said[1:] == [
        {
            "role": "assistant",
            "content": "I look.",
            "reasoning_content": "Hm.",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
        {"role": "user", "content": [PICTURE, {"type": "text", "text": "Go on."}]},
    ]


@pytest.mark.parametrize("content", ["sunny", [{"type": "text", "text": "sunny"}]])
def test_a_result_may_be_a_text_or_blocks(content):
    said = messages(user({"type": "tool_result", "tool_use_id": "c1", "content": content}))
    assert said == [{"role": "tool", "tool_call_id": "c1", "content": "sunny"}]


@pytest.mark.parametrize(
    ("turn", "text"),
    [
        (
            user({"type": "image", "source": {"type": "url", "url": "x"}}),
            "invalid image source type: url. Only base64 images are supported.",
        ),
        (
            {"role": "assistant", "content": [{"type": "tool_use", "name": "f"}]},
            "tool_use block missing required 'id' field",
        ),
        (
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c1"}]},
            "tool_use block missing required 'name' field",
        ),
        ({"role": "user", "content": 5}, "content must be a string or an array of blocks"),
    ],
)
def test_incomplete_blocks_are_rejected_as_in_ollama(turn, text):
    with pytest.raises(BadRequest) as caught:
        messages(turn)
    assert caught.value.text == text


def test_blocks_without_a_counterpart_are_passed_over():
    assert messages(user({"type": "document"}, "odd", {"type": "text", "text": "hi"})) == list(HI)


TEXT = {"type": "text", "text": "words"}


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}}, "words"),
        ({"type": "document", "title": "Title", "source": {"type": "text", "data": "words"}}, "Title\nwords"),
        ({"type": "document", "source": {"type": "content", "content": [TEXT, TEXT]}}, "words\nwords"),
        ({"type": "document", "source": {"type": "content", "content": "words"}}, "words"),
        ({"type": "search_result", "source": "https://x", "title": "Title", "content": [TEXT]}, "Title\nwords"),
        ({"type": "document", "title": "Title", "source": {"type": "base64", "data": "JVBERi0="}}, ""),
        ({"type": "tool_reference", "tool_name": "web_fetch"}, "web_fetch"),
        ({"type": "text", "text": ""}, ""),
    ],
)
def test_texts_of_documents_reach_the_model(block, text):
    assert messages(user(block)) == [{"role": "user", "content": text}]


def test_a_summary_of_anthropics_servers_reaches_the_model():
    turn = {"role": "assistant", "content": [{"type": "compaction", "content": "A summary."}, TEXT]}
    assert messages(turn) == [{"role": "assistant", "content": "A summary.\nwords"}]


def test_tools_that_were_found_later_come_last():
    found = {**WEATHER, "name": "added", "defer_loading": True}
    names = [tool["function"]["name"] for tool in payload(tools=(found, WEATHER))["tools"]]
    assert names == ["get_weather", "added"]


def test_tools_with_a_schema_are_offered_and_others_reported():
    tools = (WEATHER, {"type": "web_search_20250305", "name": "web_search"}, {"type": "custom", "name": "plain"})
    asked = ask(tools=tools)
    assert [tool["name"] for tool in asked.functions] == ["get_weather", "plain"]
    assert asked.left_out == ("web_search_20250305",)
    assert [tool["function"] for tool in payload(tools=tools)["tools"]] == [
        {
            "name": "get_weather",
            "description": "d",
            "parameters": {"type": "object", "properties": {"city": {}}},
        },
        {"name": "plain", "parameters": {"type": "object", "properties": {}}},
    ]


def test_a_schema_that_is_none_is_refused():
    with pytest.raises(BadRequest, match='invalid input_schema for tool "f"'):
        payload(tools=({"name": "f", "input_schema": "x"},))


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ({}, None),
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "get_weather"}, "required"),
    ],
)
def test_a_tool_choice_becomes_one_that_lm_studio_accepts(choice, sent):
    assert payload(tools=(WEATHER,), tool_choice=choice).get("tool_choice") == sent


def test_one_call_at_a_time_is_requested():
    said = payload(tools=(WEATHER,), tool_choice={"type": "auto", "disable_parallel_tool_use": True})
    assert said["parallel_tool_calls"] is False


def test_settings_are_sent_under_the_names_of_a_chat():
    said = payload(temperature=0.5, top_p=0.9, top_k=3, stop_sequences=("END",))
    assert (said["temperature"], said["top_p"], said["top_k"], said["stop"]) == (0.5, 0.9, 3, ["END"])


@pytest.mark.parametrize(
    ("fields", "think", "effort"),
    [
        ({}, None, None),
        ({"thinking": {"type": "adaptive"}}, None, None),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, True, None),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}, False, "none"),
        ({"output_config": {"effort": "medium"}}, "medium", "medium"),
        ({"output_config": {"effort": "xhigh"}}, "high", "high"),
        ({"output_config": {"effort": "max"}}, "max", "high"),
        ({"output_config": {"effort": "zip"}}, None, None),
    ],
)
def test_thinking_is_mapped_to_lm_studios_values(fields, think, effort):
    assert ask(**fields).think == think
    assert payload(**fields).get("reasoning_effort") == effort


def test_the_format_json_becomes_a_schema():
    wish = {"format": {"type": "json_schema", "schema": {"type": "array"}}}
    assert payload(output_config=wish)["response_format"]["json_schema"]["schema"] == {"type": "array"}
    assert ask(output_config=wish).wants_json
    assert payload(output_format=wish["format"]) == payload(output_config=wish)
    assert not ask().wants_json


def test_counting_generates_one_token_for_the_conversation():
    wish = {"format": {"type": "json_schema", "schema": {}}}
    counting = to_counting_payload(ask(max_tokens=0, tools=(WEATHER,), output_config=wish), Model(key="k"), Defaults())
    assert (counting["max_tokens"], len(counting["tools"])) == (1, 1)
    assert "response_format" not in counting
