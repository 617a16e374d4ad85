"""Tool calls are put together from whatever pieces the engines stream."""

from __future__ import annotations

import json
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chunks import PLACES, cut, one_by_one

from flask_shim.lmstudio.completion_events import CallDelta
from flask_shim.lmstudio.errors import BackendProtocolError
from flask_shim.translate.answer.tool_calls import CallAssembler
from flask_shim.translate.answer.tool_schemas import ToolSchemas


def fragment(arguments=None, name=None, index=0, call_id=None):
    return CallDelta(index=index, id=call_id, name=name, arguments=arguments)


def assembled(*deltas, was_cut=False, offered=(), properties=()):
    """Return what the fragments become: triples of id, name and arguments."""
    tools = ToolSchemas({name: {"properties": {key: {} for key in properties}} for name in offered})
    assembler, numbers = CallAssembler(), count(1)
    for delta in deltas:
        assembler.add(delta)
    calls = assembler.finish(was_cut=was_cut, offered=tools, new_id=lambda: f"new_{next(numbers)}")
    return [(call.id, call.name, call.arguments) for call in calls]


def test_without_fragments_there_are_no_calls():
    assert not CallAssembler()
    assert assembled() == []


def test_the_fragments_of_lm_studio_are_put_together():
    assert assembled(
        fragment("", "get_current_weather", call_id="814890118"),
        fragment('{"'),
        fragment("location"),
        fragment('":"'),
        fragment("Oslo"),
        fragment('"}'),
    ) == [("814890118", "get_current_weather", {"location": "Oslo"})]


ARGUMENTS = st.dictionaries(st.text(max_size=5), st.text() | st.integers(-9, 9) | st.lists(st.booleans()), max_size=3)


@given(ARGUMENTS, PLACES)
def test_arguments_are_the_same_however_they_are_cut(arguments, places):
    text = json.dumps(arguments, ensure_ascii=False)
    for pieces in (cut(text, places), one_by_one(text), [text]):
        deltas = [fragment("", "f", call_id="1"), *map(fragment, pieces)]
        assert assembled(*deltas) == [("1", "f", arguments)]


def test_the_order_of_arguments_is_kept():
    [(_, _, arguments)] = assembled(fragment('{"z":1,"a":2,"m":3}', "f", call_id="1"))
    assert list(arguments) == ["z", "a", "m"]


@pytest.mark.parametrize(
    ("sent", "arguments"),
    [
        (None, {}),
        ("", {}),
        ("  ", {}),
        ("{}", {}),
        ("null", {}),
        ('"null"', {}),
        ("[]", {}),
        ('""', {}),
        ('" "', {}),
        ('{"a":1}', {"a": 1}),
        ('{"a":"1\n2"}', {"a": "1\n2"}),
        ('{"a":"\\ud83d"}', {"a": "\ufffd"}),
        ('{"a":"\\ud83d\\ude00\n"}', {"a": "\U0001f600\n"}),
        ('"{\\"a\\":1}"', {"a": 1}),
        ({"a": 1}, {"a": 1}),
        ({}, {}),
    ],
)
def test_whole_arguments_are_read_in_every_form(sent, arguments):
    assert assembled(fragment(sent, "f", call_id="1")) == [("1", "f", arguments)]


def test_parallel_calls_are_separated_by_their_index():
    assert assembled(
        fragment("", "f", 0, "1"), fragment('{"a":', index=0), fragment("1}", index=0), fragment('{"b":2}', "g", 1, "2")
    ) == [("1", "f", {"a": 1}), ("2", "g", {"b": 2})]


def test_fragments_of_parallel_calls_may_be_mixed():
    assert assembled(
        fragment("", "f", 0, "1"),
        fragment("", "g", 1, "2"),
        fragment('{"a":', index=0),
        fragment('{"b":', index=1),
        fragment("1}", index=0),
        fragment("2}", index=1),
    ) == [("1", "f", {"a": 1}), ("2", "g", {"b": 2})]


def test_calls_that_all_have_index_0_are_separated_by_their_ids():
    assert assembled(fragment("{}", "f", 0, "1"), fragment("{}", "g", 0, "2")) == [("1", "f", {}), ("2", "g", {})]


def test_calls_without_index_are_separated_by_their_ids():
    assert assembled(fragment('{"a"', "f", None, "1"), fragment(":1}", index=None), fragment("{}", "g", None, "2")) == [
        ("1", "f", {"a": 1}),
        ("2", "g", {}),
    ]


def test_an_id_or_a_name_that_is_repeated_does_not_begin_a_call():
    assert assembled(fragment('{"a"', "f", 0, "1"), fragment(":1", "f", 0, "1"), fragment("}", "", 0, "")) == [
        ("1", "f", {"a": 1})
    ]


@pytest.mark.parametrize("call_id", [None, ""])
def test_calls_without_ids_get_new_ones(call_id):
    assert assembled(fragment("{}", "f", 0, call_id), fragment("{}", "g", 1, call_id)) == [
        ("new_1", "f", {}),
        ("new_2", "g", {}),
    ]


@pytest.mark.parametrize("index", [None, 0])
def test_calls_without_id_and_index_are_separated_by_their_names(index):
    assert assembled(
        fragment("", "f", index), fragment('{"a"', index=index), fragment(":1}", "", index), fragment("{}", "g", index)
    ) == [("new_1", "f", {"a": 1}), ("new_2", "g", {})]


@pytest.mark.parametrize("index", [None, 0])
def test_a_name_behind_whole_arguments_begins_another_call(index):
    assert assembled(fragment('{"a":1}', "f", index, ""), fragment('{"a":2}', "f", index, "")) == [
        ("new_1", "f", {"a": 1}),
        ("new_2", "f", {"a": 2}),
    ]


def test_arguments_of_one_tool_that_were_run_together_are_parted():
    sent = fragment('{"a":1}{"a":2}\n{}', "f", call_id="1")
    assert assembled(sent, offered=("f",), properties="a") == [
        ("1", "f", {"a": 1}),
        ("new_1", "f", {"a": 2}),
        ("new_2", "f", {}),
    ]


@pytest.mark.parametrize("sent", ['{"a":1}{"b":2}', '{"a":1}[2]', '{"a":1}{"a":'])
def test_arguments_that_may_be_another_tools_are_not_given_to_this(sent):
    with pytest.raises(BackendProtocolError, match="not a JSON object"):
        assembled(fragment(sent, "f", call_id="1"), offered=("f", "g"), properties="a")


def test_ids_that_come_twice_are_replaced():
    assert [number for number, _, _ in assembled(fragment("{}", "f", 0, "1"), fragment("{}", "f", 1, "1"))] == [
        "1",
        "new_1",
    ]


@pytest.mark.parametrize("name", ["get_weather", "getWeather", "get-weather", "GET.WEATHER"])
def test_names_become_those_the_client_offered(name):
    assert assembled(fragment("{}", name, call_id="1"), offered=("get_time", "get_weather"))[0][1] == "get_weather"


@pytest.mark.parametrize(
    ("offered", "name"),
    [
        (("天気", "時刻"), "天気"),
        (("search_文档", "search_代码"), "search_文档"),
        (("getItem", "get_item"), "getItem"),
        (("get_item", "getItem"), "getItem"),
    ],
)
def test_the_very_name_counts_before_any_other_spelling(offered, name):
    assert assembled(fragment("{}", name, call_id="1"), offered=offered)[0][1] == name


def test_a_spelling_that_may_mean_two_tools_is_passed_on():
    offered = ("get_item", "getItem")
    assert assembled(fragment("{}", "GET_ITEM", call_id="1"), offered=offered)[0][1] == "GET_ITEM"


def test_names_of_unknown_tools_are_passed_on():
    assert assembled(fragment("{}", "other", call_id="1"), offered=("get_weather",))[0][1] == "other"


@pytest.mark.parametrize(
    "sent", ['{"city":', "[1]", "5", '"Oslo"', "Oslo", '{"a":1}{"b":2}', "<parameter=a>1", "<b>1</b>"]
)
def test_arguments_that_are_no_object_are_an_error(sent):
    with pytest.raises(BackendProtocolError, match="'f' with arguments that are not a JSON object"):
        assembled(fragment(sent, "f", call_id="1"))


def test_the_error_repeats_only_the_beginning_of_long_arguments():
    with pytest.raises(BackendProtocolError) as caught:
        assembled(fragment("x" * 10_000, "f", call_id="1"))
    assert len(caught.value.text) < 300


def test_a_call_that_the_limit_of_tokens_cut_is_left_out():
    assert assembled(fragment("{}", "f", 0, "1"), fragment('{"city":', "g", 1, "2"), was_cut=True) == [("1", "f", {})]


def test_a_fragment_without_function_adds_its_id():
    assert assembled(CallDelta(index=0, id="1"), fragment("{}", "f")) == [("1", "f", {})]


@pytest.mark.parametrize("name", [None, ""])
def test_a_call_without_a_name_is_dropped(name):
    assert assembled(fragment("{}", name, 0, "1"), fragment("{}", "f", 1, "2")) == [("2", "f", {})]


@pytest.mark.parametrize(
    "sent",
    [
        "<parameter=city>\nOslo\n</parameter>",
        "<parameter=city>Oslo</parameter>\n",
        "<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>",
        "<function=f>\n<parameter=city>\nOslo\n</parameter>\n</function>",
        "\n<parameter=city>Oslo</parameter></function></tool_call>",
        "<tool_call>f<arg_key>city</arg_key><arg_value>Oslo</arg_value></tool_call>",
        '<tool_call>{"name":"f","arguments":{"city":"Oslo"}}</tool_call>',
        '[TOOL_REQUEST]{"name":"f","arguments":{"city":"Oslo"}}[END_TOOL_REQUEST]',
        '[TOOL_CALLS]f[ARGS]{"city":"Oslo"}',
    ],
)
def test_arguments_between_tags_are_read(sent):
    pieces = [fragment("", "f", call_id="1"), *map(fragment, one_by_one(sent))]
    assert assembled(*pieces) == assembled(fragment(sent, "f", call_id="1")) == [("1", "f", {"city": "Oslo"})]
