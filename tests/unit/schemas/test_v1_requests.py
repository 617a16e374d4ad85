"""The bodies of Responses and Messages, as far as their types go."""

from __future__ import annotations

import pytest

from flask_shim.errors import BadRequest
from flask_shim.schemas.v1_requests import load_messages, load_responses
from flask_shim.translate.anthropic.messages_request import MessagesRequest
from flask_shim.translate.openai.responses_request import ResponsesRequest


@pytest.mark.parametrize(("load", "ask"), [(load_responses, ResponsesRequest), (load_messages, MessagesRequest)])
def test_absent_fields_have_their_defaults(load, ask):
    assert load({}) == ask(model="")
    assert load({"model": None, "stream": None, "tools": None, "temperature": None}) == ask(model="")


def test_unknown_fields_are_ignored():
    asked = {"model": "tiny", "store": False, "include": ["x"], "prompt_cache_key": "k", "client_metadata": {}}
    assert load_responses(asked) == ResponsesRequest(model="tiny")
    asked = {"model": "tiny", "metadata": {"user_id": "u"}, "context_management": {}, "anthropic_version": "x"}
    assert load_messages(asked) == MessagesRequest(model="tiny")


@pytest.mark.parametrize("given", ["hi", [{"role": "user", "content": "hi"}], []])
def test_an_input_may_be_a_text_or_items(given):
    assert load_responses({"input": given}).input == given


def test_a_turn_keeps_its_role_and_content():
    turn = {"role": "user", "content": [{"type": "text", "text": "hi"}], "id": "x"}
    assert load_messages({"messages": [turn]}).messages == ({"role": "user", "content": turn["content"]},)


def test_an_input_that_is_neither_is_refused():
    with pytest.raises(BadRequest) as caught:
        load_responses({"input": 5})
    assert caught.value.text == (
        "input must be a string or array: json: cannot unmarshal number into Go value of type []json.RawMessage"
    )


@pytest.mark.parametrize(
    ("load", "body", "kind", "place"),
    [
        (load_responses, {"temperature": "1"}, "string", "ResponsesRequest.temperature of type float64"),
        (load_responses, {"tools": [5]}, "number", "ResponsesRequest.tools of type map[string]interface {}"),
        (load_messages, {"max_tokens": "5"}, "string", "MessagesRequest.max_tokens of type int"),
        (load_messages, {"messages": "x"}, "string", "MessagesRequest.messages of type []anthropic.MessageParam"),
        (load_messages, {"messages": [{"role": 1}]}, "number", "MessageParam.messages.role of type string"),
        (load_messages, {"system": 5}, "number", "MessagesRequest.system of type []anthropic.ContentBlock"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(load, body, kind, place):
    with pytest.raises(BadRequest) as caught:
        load(body)
    assert caught.value.text == f"json: cannot unmarshal {kind} into Go struct field {place}"
