"""Each difference between what a client sent and what LM Studio receives has a name and a reason."""

from __future__ import annotations

import pytest

from flask_shim.translate.request_changes import prefix_break, request_changes

TURN = {"role": "user", "content": "Hi"}


@pytest.mark.parametrize(
    ("sent", "received", "changes"),
    [
        ({"model": "a", "top_p": 0.5}, {"model": "a", "top_p": 0.5}, {}),
        ({"options": {"top_k": 4}}, {"top_k": 4}, {}),
        ({"model": "tiny"}, {"model": "lab/tiny"}, {"model": 'changed: "lab/tiny"'}),
        ({"model_key": "tiny"}, {"model": "tiny"}, {"model_key": 'sent as model: "tiny"'}),
        ({"options": {"num_predict": 9}}, {"max_tokens": 9}, {"options.num_predict": "sent as max_tokens: 9"}),
        ({"options": {"num_ctx": 9}}, {}, {"options.num_ctx": "left out"}),
        ({"think": True}, {}, {"think": "left out"}),
        ({"format": None}, {}, {}),
        ({"prompt": "Hi"}, {"messages": [TURN]}, {"prompt": "sent as messages"}),
        ({"prompt": "Hi"}, {"prompt": "Hi"}, {}),
        ({"messages": [TURN]}, {"messages": [TURN, TURN]}, {"messages": "changed: length 1, now 2"}),
        ({}, {"stream": True}, {"stream": "added: true"}),
        ({"input": "Hi"}, {"input": "Hi"}, {}),
        ({"input": "Hi"}, {"input": ["Hi"]}, {"input": 'changed: ["Hi"]'}),
        ({"prompt": "Hi"}, {"input": ["Hi"]}, {"prompt": 'sent as input: ["Hi"]'}),
        ({"store": True, "reasoning": {}, "text": {}}, {"store": True, "reasoning": {}, "text": {}}, {}),
        (
            {"max_completion_tokens": 3},
            {"max_completion_tokens": 3, "max_tokens": 3},
            {"max_completion_tokens": "sent as max_tokens: 3"},
        ),
        ({"seed": "x" * 400}, {"seed": "y" * 400}, {"seed": f'changed: "{"y" * 299}…'}),
    ],
)
def test_differences_are_found(sent, received, changes):
    found = request_changes(sent, received)
    assert {change.field: change.change for change in found} == changes
    assert all(change.reason for change in found)


def test_reason_fits_what_the_field_became():
    reasons = [
        request_changes({name: "Hi"}, received)[0].reason
        for name, received in (
            ("prompt", {"messages": [TURN]}),
            ("prompt", {"prompt": "Hi?"}),
            ("prompt", {"input": ["Hi"]}),
            ("input", {"input": ["Hi"]}),
        )
    ]
    assert len(set(reasons)) == 3
    assert reasons[2] == reasons[3] == "texts for embeddings, as a list"


def test_what_was_dropped_inside_of_a_field_is_named():
    found = request_changes({"tools": []}, {"tools": []}, dropped=("web_search",))
    assert [(change.field, change.change) for change in found] == [("web_search", "left out")]


def test_reasons_of_the_request_replace_those_of_the_table():
    sent = {"reasoning_effort": "high", "options": {"mirostat": 1}}
    found = request_changes(sent, {}, ("mirostat",), {"reasoning_effort": "the model cannot think"})
    assert [(change.field, change.reason) for change in found] == [
        ("reasoning_effort", "the model cannot think"),
        ("options.mirostat", "LM Studio has no such field"),
    ]


@pytest.mark.parametrize(
    ("before", "now", "differs_at"),
    [
        ([TURN], [TURN, TURN], None),
        ([TURN], [{"role": "user", "content": "Ho"}], 0),
        ([TURN, TURN], [TURN], 1),
        ([], [TURN], None),
    ],
)
def test_first_message_that_breaks_the_prefix_is_found(before, now, differs_at):
    broken = prefix_break({"messages": before}, {"messages": now})
    assert (broken.differs_at if broken else None) == differs_at


def test_excerpts_begin_near_the_difference():
    old, new = ({"role": "system", "content": "a" * 500 + end} for end in ("Monday", "Tuesday"))
    broken = prefix_break({"messages": [old]}, {"messages": [new]})
    assert broken.role == "system"
    assert (broken.before[40:46], broken.now[40:47]) == ("Monday", "Tuesday")


def test_other_tools_break_the_prefix():
    tools = [{"type": "function", "function": {"name": name}} for name in ("read", "write")]
    broken = prefix_break({"messages": [TURN], "tools": tools[:1]}, {"messages": [TURN], "tools": tools})
    assert (broken.role, "write" in broken.now) == ("tools", True)
