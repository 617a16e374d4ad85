"""Responses requests as chats."""

from __future__ import annotations

import pytest

from flask_shim.errors import BadRequest
from flask_shim.lmstudio.model import Model, Support
from flask_shim.translate.ollama.payloads import Defaults
from flask_shim.translate.openai.responses_request import ResponsesRequest, to_payload

PICTURE = "data:image/png;base64,iVBORw0KGgo="
WEATHER = {"type": "function", "name": "get_weather", "description": "d", "parameters": {"type": "object"}}
TIME = {"type": "function", "name": "get_time"}


def payload(model=None, defaults=None, **ask):
    return to_payload(ResponsesRequest(model="tiny", **ask), model or Model(key="tiny-key"), defaults or Defaults())


def messages(given, **ask):
    return payload(input=given, **ask)["messages"]


def complaint(given):
    with pytest.raises(BadRequest) as caught:
        messages(given)
    return caught.value.text


def test_a_minimal_request_becomes_a_stream_with_usage():
    assert payload(input="hi") == {
        "model": "tiny-key",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize("given", [None, "", []])
def test_an_input_of_nothing_is_no_message(given):
    assert messages(given) == []


def test_instructions_and_the_developers_words_are_one_system_turn():
    given = [{"role": "developer", "content": "Be kind."}, {"role": "user", "content": "hi"}]
    assert messages(given, instructions="Be brief.") == [
        {"role": "system", "content": "Be brief.\n\nBe kind."},
        {"role": "user", "content": "hi"},
    ]


def test_content_parts_become_parts_of_a_chat():
    content = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": PICTURE, "detail": "auto"},
    ]
    assert messages([{"type": "message", "role": "user", "content": content}]) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": PICTURE}},
            ],
        }
    ]


def test_an_agents_turn_becomes_one_turn_and_its_results():
    given = [
        {"role": "user", "content": "Weather?"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Two cities."}], "encrypted_content": "x"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
        {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": '{"city":"Paris"}'},
        {"type": "function_call", "call_id": "c2", "name": "get_weather", "arguments": '{"city":"Rome"}'},
        {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "rainy"}]},
    ]
    assert messages(given)[1:] == [
        {
            "role": "assistant",
            "content": "I look.",
            "reasoning_content": "Two cities.",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}},
                {"id": "c2", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Rome"}'}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "c2", "content": "rainy"},
    ]


def test_a_custom_call_comes_back_as_a_function_call():
    given = [
        {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": "*** Begin"},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "done"},
    ]
    call, result = messages(given)
    assert call["tool_calls"][0]["function"] == {"name": "apply_patch", "arguments": '{"input":"*** Begin"}'}
    assert result == {"role": "tool", "tool_call_id": "c1", "content": "done"}


@pytest.mark.parametrize(
    ("item", "thought"),
    [
        ({"summary": [{"text": "a"}, {"text": "b"}]}, "a\nb"),
        ({"summary": [], "content": [{"type": "reasoning_text", "text": "c"}]}, "c"),
        ({"summary": [], "encrypted_content": "Let me think."}, "Let me think."),
        ({"summary": [], "encrypted_content": "gAAAAABo..."}, None),
    ],
)
def test_thinking_is_returned_unless_unreadable(item, thought):
    call = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
    turn = messages([{"type": "reasoning", **item}, call])[0]
    assert turn.get("reasoning_content") == thought


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ({"type": "bogus"}, 'input[0]: unknown input item type: "bogus"'),
        ({"type": ["x"]}, "input[0]: unknown input item type: \"['x']\""),
        ({}, "input[0]: input item missing required 'type' field"),
        ("hi", "input[0]: an input item must be an object"),
        ({"role": "user", "content": [{"type": "input_file"}]}, "file inputs are not currently supported"),
        ({"role": "user", "content": [{"type": "x"}]}, "unknown content type: x"),
    ],
)
def test_what_is_no_item_is_refused_as_ollama_does(item, text):
    assert complaint([item]) == text


def test_a_shell_call_and_its_output_stay_a_pair():
    action = {"type": "exec", "command": ["ls"]}
    call, result = messages(
        [
            {"type": "local_shell_call", "id": "ls_1", "call_id": "c1", "action": action},
            {"type": "local_shell_call_output", "call_id": "c1", "output": "a.txt"},
        ]
    )
    assert call["tool_calls"][0]["function"] == {
        "name": "local_shell",
        "arguments": '{"command":["ls"]}',
    }
    assert result == {"role": "tool", "tool_call_id": "c1", "content": "a.txt"}


def test_an_item_kept_elsewhere_is_refused():
    assert "stores no items" in complaint([{"type": "item_reference", "id": "msg_1"}])


def test_only_functions_are_offered_and_others_reported():
    tools = (WEATHER, {"type": "web_search"}, {"type": "namespace", "name": "n"}, {"type": "function"})
    ask = ResponsesRequest(model="tiny", tools=tools)
    assert [tool["name"] for tool in ask.functions] == ["get_weather"]
    assert ask.left_out == ("web_search", "namespace", "function")
    assert payload(tools=tools)["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "get_weather",
                "description": "d",
                "parameters": {"type": "object", "properties": {}},
            },
        }
    ]


def test_without_functions_tools_are_left_out():
    said = payload(tools=({"type": "web_search"},), tool_choice="required", parallel_tool_calls=True)
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & said.keys()


@pytest.mark.parametrize(
    ("choice", "sent", "offered"),
    [
        (None, None, ["get_weather", "get_time"]),
        ("required", "required", ["get_weather", "get_time"]),
        ({"type": "function", "name": "get_time"}, "required", ["get_time"]),
        ({"type": "web_search"}, None, ["get_weather", "get_time"]),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"name": "get_time"}]}, "auto", ["get_time"]),
    ],
)
def test_a_tool_choice_becomes_one_that_lm_studio_accepts(choice, sent, offered):
    said = payload(input="hi", tools=(WEATHER, TIME), tool_choice=choice)
    assert said.get("tool_choice") == sent
    assert [tool["function"]["name"] for tool in said["tools"]] == offered


def test_settings_are_sent_under_the_names_of_a_chat():
    said = payload(
        input="hi", temperature=0.5, top_p=0.9, max_output_tokens=7, tools=(TIME,), parallel_tool_calls=False
    )
    assert (said["temperature"], said["top_p"], said["max_tokens"], said["parallel_tool_calls"]) == (0.5, 0.9, 7, False)


def test_the_default_keep_alive_is_requested():
    assert payload(input="hi", defaults=Defaults(ttl_seconds=60))["ttl"] == 60


@pytest.mark.parametrize(
    ("wish", "schema"),
    [
        ({"type": "json_schema", "name": "city", "schema": {"type": "array"}}, {"type": "array"}),
        ({"type": "json_object"}, {"type": "object"}),
    ],
)
def test_the_format_json_becomes_a_schema(wish, schema):
    said = payload(input="hi", text={"format": wish})["response_format"]
    assert said["type"] == "json_schema"
    assert said["json_schema"]["schema"] == schema
    assert ResponsesRequest(model="tiny", text={"format": wish}).wants_json


@pytest.mark.parametrize("text", [{}, {"format": {"type": "text"}}, {"verbosity": "low"}])
def test_the_format_text_is_left_out(text):
    assert "response_format" not in payload(input="hi", text=text)
    assert not ResponsesRequest(model="tiny", text=text).wants_json


@pytest.mark.parametrize(
    ("reasoning", "effort"),
    [({}, None), ({"summary": "auto"}, None), ({"effort": "none"}, "none"), ({"effort": "xhigh"}, "high")],
)
def test_the_effort_is_mapped_to_lm_studios_values(reasoning, effort):
    assert payload(input="hi", reasoning=reasoning).get("reasoning_effort") == effort


def test_a_model_that_cannot_think_gets_no_effort():
    model = Model(key="tiny-key", reasoning=Support.NO)
    assert "reasoning_effort" not in payload(model, input="hi", reasoning={"effort": "none"})


@pytest.mark.parametrize(
    "items",
    [
        [{"type": "reasoning", "summary": 5, "content": "x"}],
        [{"type": "reasoning", "summary": [5, {"text": 6}], "encrypted_content": 7}],
        [{"type": "message", "role": "user", "content": 5}],
        [{"type": "function_call", "name": 5, "arguments": 5, "call_id": 5}],
        [{"type": "local_shell_call", "action": "ls"}],
    ],
)
@pytest.mark.parametrize("choice", [{"type": "allowed_tools", "tools": 5}, {"type": "allowed_tools"}, {"type": 5}, 5])
def test_values_of_odd_types_raise_nothing_unexpected(items, choice):
    payload(input=items, tools=(WEATHER,), tool_choice=choice)
