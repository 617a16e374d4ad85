"""How hard a model shall think, in everybody's words."""

from __future__ import annotations

import pytest

from flask_shim.errors import BadRequest
from flask_shim.lmstudio.model import Model, Support
from flask_shim.translate.openai.reasoning_effort import adapt_chat, to_think


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


def test_an_effort_that_is_none_is_refused_with_those_that_are():
    with pytest.raises(BadRequest) as caught:
        to_think("zip")
    assert caught.value.text == (
        'invalid reasoning value: "zip" '
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
def test_a_chat_says_its_effort_in_a_word_of_lm_studio(said, sent):
    assert adapt_chat({"messages": [], **said})["reasoning_effort"] == sent


def test_a_chat_without_an_effort_gets_none():
    assert adapt_chat({"messages": [], "reasoning": {}}) == {"messages": [], "reasoning": {}}


def test_a_chat_with_an_effort_nobody_knows_is_refused():
    with pytest.raises(BadRequest, match="invalid reasoning value"):
        adapt_chat({"reasoning_effort": "zip"})


@pytest.mark.parametrize("wish", [{"reasoning_effort": "none"}, {"reasoning_effort": "high"}, {"reasoning": {}}])
def test_no_effort_is_sent_for_a_model_that_cannot_think(wish):
    body = {"messages": [], **wish}
    assert adapt_chat(body, Model(key="k", reasoning=Support.NO)) == {"messages": []}
