"""Reasoning efforts: known values are translated, unknown ones rejected."""

from __future__ import annotations

import pytest

from flask_shim.errors import BadRequest
from flask_shim.lmstudio.model import Model, Support
from flask_shim.translate.openai.chat_completions import adapt_chat, to_think


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
