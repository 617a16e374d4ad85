"""Calls that a model wrote as text are found in every form and at any cut, and only those of offered tools."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chunks import PLACES, cut, one_by_one

from flask_shim.translate.answer.text_tool_calls import TextCalls
from flask_shim.translate.answer.tool_schemas import ToolSchemas

OFFERED = {
    "get_weather": {"properties": {"city": {"type": "string"}}},
    "add": {"properties": {"a": {"type": "integer"}, "b": {"type": "number"}}},
}
WEATHER = ("get_weather", {"city": "Oslo"})
ADD = ("add", {"a": 17, "b": 25})


def read(pieces, offered=OFFERED):
    """Return the text that is shown, and the calls as pairs of name and arguments."""
    finder = TextCalls(ToolSchemas(offered), lambda: "call_1")
    results = [stretch for piece in pieces for stretch in finder.feed(piece)] + finder.flush()
    text = "".join(text for text, calls in results if not calls)
    return text, [(call.name, call.arguments) for _, calls in results for call in calls]


FORMS = {
    "hermes": ('<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n</tool_call>', [WEATHER]),
    "hermes with parameters": ('<tool_call>{"name":"get_weather","parameters":{"city":"Oslo"}}</tool_call>', [WEATHER]),
    "hermes with text arguments": (
        '<tool_call>{"name":"get_weather","arguments":"{\\"city\\": \\"Oslo\\"}"}</tool_call>',
        [WEATHER],
    ),
    "hermes without arguments": ('<tool_call>{"name":"get_weather"}</tool_call>', [("get_weather", {})]),
    "hermes with null": ('<tool_call>{"name":"get_weather","arguments":null}</tool_call>', [("get_weather", {})]),
    "two in a row": (
        (
            '<tool_call>{"name":"get_weather","arguments":{"city":"Oslo"}}</tool_call>\n'
            '<tool_call>{"name":"add","arguments":{"a":17,"b":25}}</tool_call>'
        ),
        [WEATHER, ADD],
    ),
    "lm studio's own": (
        '[TOOL_REQUEST]\n{"name":"get_weather","arguments":{"city":"Oslo"}}\n[END_TOOL_REQUEST]',
        [WEATHER],
    ),
    "xml": ("<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n</function>", [WEATHER]),
    "xml with numbers": ("<function=add><parameter=a>17</parameter><parameter=b>25</parameter></function>", [ADD]),
    "xml without parameters": ("<function=get_weather></function>", [("get_weather", {})]),
    "xml inside hermes": (
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n</function>\n</tool_call>",
        [WEATHER],
    ),
    "xml with a value of several lines": (
        "<function=get_weather><parameter=city>\nNew\nYork\n</parameter></function>",
        [("get_weather", {"city": "New\nYork"})],
    ),
    "xml with text that looks like JSON": (
        '<function=get_weather><parameter=city>\n{"a": 1.0}\n</parameter></function>',
        [("get_weather", {"city": '{"a": 1.0}'})],
    ),
    "pairs": (
        "<tool_call>add\n<arg_key>a</arg_key>\n<arg_value>17</arg_value>\n<arg_key>b</arg_key><arg_value>25</arg_value>\n</tool_call>",
        [ADD],
    ),
    "pairs without an opening value tag (vllm#49248)": (
        "<tool_call>get_weather<arg_key>city</arg_key>Oslo</arg_value></tool_call>",
        [WEATHER],
    ),
    "pairs with a closing key tag twice (vllm#54971)": (
        "<tool_call>get_weather<arg_key>city</arg_key></arg_key><arg_value>Oslo</arg_value></tool_call>",
        [WEATHER],
    ),
    "mistral with an id": ('[TOOL_CALLS]get_weather[CALL_ID]a1b2c3d4e[ARGS]{"city":"Oslo"}', [WEATHER]),
    "mistral list": ('[TOOL_CALLS][{"name":"get_weather","arguments":{"city":"Oslo"}}]', [WEATHER]),
    "mistral": ('[TOOL_CALLS]get_weather[ARGS]{"city":"Oslo"}', [WEATHER]),
    "mistral twice": (
        '[TOOL_CALLS]get_weather[ARGS]{"city":"Oslo"}[TOOL_CALLS]add[ARGS]{"a":17,"b":25}',
        [WEATHER, ADD],
    ),
    "harmony": (
        '<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{"city":"Oslo"}<|call|>',
        [WEATHER],
    ),
}


@pytest.mark.parametrize(("text", "calls"), FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("pieces", [lambda text: [text], one_by_one], ids=["whole", "one_by_one"])
def test_every_form_is_found(text, calls, pieces):
    shown, found = read(pieces(text))
    assert (shown.strip(), found) == ("", calls)


@pytest.mark.parametrize("form", [name for name in FORMS if not name.startswith("mistral")])
def test_text_around_a_call_stays(form):
    text, calls = FORMS[form]
    shown, found = read(one_by_one(f"Let me see. {text}, done < here [1]."))
    assert (shown.replace("\n", ""), found) == ("Let me see. , done < here [1].", calls)


@pytest.mark.parametrize(("text", "calls"), FORMS.values(), ids=FORMS.keys())
def test_calls_of_tools_that_were_not_offered_stay_text(text, calls):
    assert read(one_by_one(text), offered={"other": {}}) == (text, [])


def test_one_unknown_call_in_a_list_leaves_the_whole_list_text():
    text = '[TOOL_CALLS][{"name":"get_weather","arguments":{}},{"name":"other","arguments":{}}]'
    assert read([text]) == (text, [])


@pytest.mark.parametrize("written", ["get_weather", "GetWeather", "get-weather", "GET_WEATHER"])
def test_names_are_found_whatever_became_of_their_letters(written):
    assert read([f'<tool_call>{{"name":"{written}","arguments":{{"city":"Oslo"}}}}</tool_call>']) == ("", [WEATHER])


def test_every_call_gets_an_id():
    finder = TextCalls(ToolSchemas(OFFERED), iter(["call_a", "call_b"]).__next__)
    found = finder.feed(FORMS["two in a row"][0])
    assert [call.id for _, calls in found for call in calls] == ["call_a", "call_b"]


NO_CALLS = {
    "broken JSON": '<tool_call>{"name": "get_weather", "arguments": {"city": </tool_call>',
    "no name": '<tool_call>{"arguments": {}}</tool_call>',
    "a name that is none": '<tool_call>{"name": 5, "arguments": {}}</tool_call>',
    "arguments that are none": '<tool_call>{"name": "get_weather", "arguments": ["Oslo"]}</tool_call>',
    "a string": '<tool_call>"get_weather"</tool_call>',
    "a number": "<tool_call>5</tool_call>",
    "nothing": "<tool_call></tool_call>",
    "words": "<tool_call> is how Hermes models call tools </tool_call>",
    "xml with words": "<function=get_weather> is how </function>",
    "xml that is cut": "<function=get_weather><parameter=city>Os</function>",
    "pairs with words": "<tool_call>add <arg_key>a</arg_key> is <arg_value>17</arg_value></tool_call>",
    "mistral with a list": '[TOOL_CALLS]get_weather[ARGS]["Oslo"]',
    "mistral with words": "[TOOL_CALLS] is a token",
    "mistral broken": '[TOOL_CALLS]get_weather[ARGS]{"city":',
    "harmony with words": "<|channel|>commentary to=functions.get_weather<|message|>hello<|call|>",
    "harmony with a list": "<|channel|>commentary to=functions.get_weather<|message|>[1]<|call|>",
    "harmony without a name": "<|channel|>commentary to=functions.<|message|>{}<|call|>",
    "opened only": '<tool_call>{"name": "get_weather", ',
    "almost opened": "a <tool_cal",
    "other tags": "if a < b and [0] then <b>bold</b> <function> [TOOL]",
}


@pytest.mark.parametrize("text", NO_CALLS.values(), ids=NO_CALLS.keys())
@pytest.mark.parametrize("pieces", [lambda text: [text], one_by_one], ids=["whole", "one_by_one"])
def test_what_is_no_call_stays_text(text, pieces):
    assert read(pieces(text)) == (text, [])


@pytest.mark.parametrize("ending", ["", "\n", "</tool", "\n</tool_call"])
def test_a_call_counts_without_its_whole_closing_tag(ending):
    assert read(['<tool_call>{"name":"get_weather","arguments":{"city":"Oslo"}}' + ending]) == ("", [WEATHER])


@pytest.mark.parametrize("ending", ["</tool_call>", ""])
@pytest.mark.parametrize("mention", ["I write <tool_call> now: ", "<tool_call><tool_call>", "<tool_call>{"])
@pytest.mark.parametrize("pieces", [lambda text: [text], one_by_one], ids=["whole", "one_by_one"])
def test_a_call_is_found_after_a_mention_of_its_tag(pieces, mention, ending):
    call = '<tool_call>{"name":"get_weather","arguments":{"city":"Oslo"}}' + ending
    assert read(pieces(mention + call)) == (mention, [WEATHER])


def test_text_is_sent_at_once_if_it_cannot_be_a_call():
    finder = TextCalls(ToolSchemas(OFFERED), lambda: "call_1")
    for text, shown in {"Hel": "Hel", "a <b": "a <b", "> [x": "> [x", "y <tool": "y ", "s>": "<tools>"}.items():
        assert [stretch.text for stretch in finder.feed(text)] == [shown]


PIECES = [*(text for text, _ in FORMS.values()), *NO_CALLS.values(), "a", " ", "\n", "<", "[", "[TOOL_", "<tool_call>"]


@given(st.lists(st.sampled_from(PIECES), max_size=4).map("".join), PLACES)
def test_any_cut_gives_the_same(text, places):
    assert read(cut(text, places)) == read([text])
    assert read(one_by_one(text)) == read([text])
