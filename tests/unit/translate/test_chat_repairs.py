"""Forwarded chat completions: faulty tool calls are repaired, all other answers keep their bytes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.answers import event, sse
from support.chunks import one_by_one

from flask_shim.translate.answer.answer_reader import ReaderOptions
from flask_shim.translate.openai.chat_repairs import ChatRepairer

TOOLS = {"add": {"properties": {"a": {"type": "integer"}}}}
WRITTEN = "<tool_call>\n<function=add>\n<parameter=a>\n1\n</parameter>\n</function>\n</tool_call>"
ADD = [("add", {"a": 1})]
USAGE = sse({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3}})
DONE = b"data: [DONE]\n\n"


def thought(text):
    return sse({"choices": [{"index": 0, "delta": {"reasoning_content": text}, "finish_reason": None}]})


def call(arguments=None, name=None, index=0, call_id=None):
    function = {key: value for key, value in {"name": name, "arguments": arguments}.items() if value is not None}
    row = {"index": index, **({"id": call_id, "type": "function"} if call_id else {}), "function": function}
    return sse({"choices": [{"index": 0, "delta": {"tool_calls": [row]}, "finish_reason": None}]})


def finish(reason="stop"):
    return sse({"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})


def repairer(offered=TOOLS):
    return ChatRepairer(ReaderOptions(offered=offered, new_id=lambda: "call_new"))


def repaired(*events, **options):
    """Return the events that leave for those that arrive."""
    answer = repairer(**options)
    return b"".join(map(answer.complete_events, events))


def read(stream):
    """Return thinking, calls and the reason, as OpenAI's clients add them up."""
    thinking, calls, reason = "", {}, None
    for line in stream.decode().splitlines():
        if not line.startswith("data: {"):
            continue
        for choice in json.loads(line[6:])["choices"]:
            thinking += choice["delta"].get("reasoning_content") or ""
            for row in choice["delta"].get("tool_calls") or ():
                name, arguments = calls.get(row["index"], ("", ""))
                function = row["function"]
                calls[row["index"]] = (
                    name + (function.get("name") or ""),
                    arguments + (function.get("arguments") or ""),
                )
            reason = choice["finish_reason"] or reason
    return thinking, [(name, json.loads(arguments)) for name, arguments in calls.values()], reason


NATIVE = [call("", "add", 0, "c1"), *map(call, ['{"', "a", '":', "1}"])]

SOUND = {
    "text": [event("Hel"), event("lo"), finish(), USAGE, DONE],
    "thinking": [thought("Hm."), event(""), event("Yes"), finish(), DONE],
    "a call": [*NATIVE, finish("tool_calls"), USAGE, DONE],
    "two calls": [*NATIVE, call("", "add", 1, "c2"), call('{"a":2}', index=1), finish("tool_calls"), DONE],
    "text and a call": [event("I add."), *NATIVE, finish("tool_calls"), DONE],
    "a call that is only thought about": [thought("Not "), thought(WRITTEN), thought(", no."), finish(), DONE],
    "a call in the thinking before an answer": [thought(WRITTEN), event("\n\n"), event("Yes"), finish(), DONE],
    "a call in the thinking before a native one": [thought(WRITTEN), *NATIVE, finish("tool_calls"), DONE],
    "a tag in the thinking": [thought("I know <tool_call>."), finish(), DONE],
    "a call of another tool": [thought(WRITTEN.replace("add", "sub")), finish(), DONE],
    "arguments that cannot be read": [call("", "add", 0, "c1"), call("a = 1"), finish("tool_calls"), DONE],
    "a comment, an error and a call without an end": [b": ping\n\n", *NATIVE, sse({"error": {"message": "x"}})],
    "no output": [event(""), finish(), USAGE, DONE],
    "lines that end in CR LF": [event("Hi").replace(b"\n", b"\r\n"), *NATIVE, finish("tool_calls"), DONE],
    "an event that is not JSON": [event("Hi"), b"data: {x\n\n", thought("<tool_call>"), b"data: 5\n\n", DONE],
}


@pytest.mark.parametrize("events", SOUND.values(), ids=SOUND.keys())
def test_a_sound_answer_keeps_its_bytes(events):
    whole = b"".join(events)
    assert repaired(*events) == whole
    assert repaired(whole) == whole
    assert repaired(*events, offered={}) == whole


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([thought("I add.\n<tool_"), thought(WRITTEN[6:]), finish()], ("I add.\n", ADD, "tool_calls")),
        ([*map(thought, one_by_one(WRITTEN)), thought("\n"), event("\n"), finish()], ("", ADD, "tool_calls")),
        ([thought(WRITTEN), thought(WRITTEN), finish()], ("", ADD * 2, "tool_calls")),
        (
            [call("", "add"), call("<parameter=a>1"), call("</parameter>"), finish("tool_calls")],
            ("", ADD, "tool_calls"),
        ),
        ([call({"a": 1}, "add"), finish("tool_calls")], ("", ADD, "tool_calls")),
        ([call("{}", ""), finish("tool_calls")], ("", [], "stop")),
        ([call("{}", None), call('{"a":1}', "add", 1, "c2"), finish("tool_calls")], ("", ADD, "tool_calls")),
        (
            [*NATIVE, call("<arg_key>a</arg_key><arg_value>2</arg_value>", "add", 1, "c2"), finish("tool_calls")],
            ("", [*ADD, ("add", {"a": 2})], "tool_calls"),
        ),
        ([*NATIVE, call("{}", "", 1, "c2"), finish("tool_calls")], ("", ADD, "tool_calls")),
        ([call("", "add", 0, "c1"), finish("tool_calls")], ("", [("add", {})], "tool_calls")),
    ],
)
def test_a_faulty_call_is_repaired(events, expected):
    stream = repaired(*events, USAGE, DONE)
    thinking, calls, reason = read(stream)
    assert (thinking, calls, reason) == expected
    assert stream.endswith(USAGE + DONE)


def test_text_and_the_fragments_of_a_call_leave_at_once():
    answer = repairer()
    events = [event("Hi"), thought("x < y"), call("", "add", 0, "c1"), call('{"a":'), call("1}")]
    assert [answer.complete_events(each) for each in events] == [
        *events[:2],
        b"",  # until it is known how the arguments begin
        events[2] + events[3],
        events[4],
    ]


@given(st.lists(st.sampled_from([event("Hi"), thought("<tool_call>"), thought(WRITTEN), thought("No."), *NATIVE])))
def test_no_event_is_lost(events):
    stream = repaired(*events, DONE)
    assert stream == b"".join(events) + DONE


def message(**fields):
    return json.dumps({"id": "x", "choices": [{"message": fields, "finish_reason": "stop"}], "y": 1.0}).encode()


ROW = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
WHOLE_SOUND = [
    message(content="Hi"),
    message(content="", tool_calls=[ROW]),
    message(content="Hi", reasoning_content=WRITTEN),
    message(content="", reasoning_content="Hm. <tool_call>"),
    message(content="", tool_calls=[ROW | {"function": {"name": "add", "arguments": "a = 1"}}]),
    b"[]",
    b"not JSON",
    b'{"choices": []}',
]


@pytest.mark.parametrize("body", WHOLE_SOUND)
def test_a_sound_body_keeps_its_bytes(body):
    assert repairer().complete_body(body) == body


@pytest.mark.parametrize(
    ("body", "thinking", "calls", "reason"),
    [
        (message(content="", reasoning_content=f"I add.\n{WRITTEN}"), "I add.\n", ADD, "tool_calls"),
        (
            message(tool_calls=[ROW | {"function": {"name": "add", "arguments": "<parameter=a>1</parameter>"}}]),
            None,
            ADD,
            "tool_calls",
        ),
        (
            message(content="Hi", tool_calls=[{"function": {"name": "", "arguments": "{}"}}, ROW]),
            None,
            ADD,
            "tool_calls",
        ),
    ],
)
def test_a_faulty_body_is_repaired(body, thinking, calls, reason):
    value = json.loads(repairer().complete_body(body))
    choice = value["choices"][0]
    found = [call["function"] for call in choice["message"]["tool_calls"]]
    assert [(each["name"], json.loads(each["arguments"])) for each in found] == calls
    assert (choice["message"].get("reasoning_content"), choice["finish_reason"], value["y"]) == (thinking, reason, 1.0)


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_call_is_repaired_whatever_ends_the_lines(line_end):
    events = [part.replace(b"\n", line_end) for part in (thought(WRITTEN), finish(), DONE)]
    assert read(repaired(b"".join(events))) == ("", ADD, "tool_calls")
