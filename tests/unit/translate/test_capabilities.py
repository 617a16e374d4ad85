"""What a model can do, and how Ollama refuses what it cannot."""

from __future__ import annotations

import pytest

from flask_shim.errors import BadRequest
from flask_shim.lmstudio.model import Kind, Model, Support
from flask_shim.translate.ollama.capabilities import capabilities, check_chat, check_generate, check_thinking

PLAIN = Model(key="plain", vision=Support.NO, tools=Support.NO, reasoning=Support.NO)
EMBEDDER = Model(key="text-embedding-x", kind=Kind.EMBEDDING)
DECIDER = Model(key="nimble", kind=Kind.DECISION)
UNTOLD = Model(key="untold")


def able(**support):
    return Model(key="m", **{"vision": Support.NO, "tools": Support.NO, "reasoning": Support.NO, **support})


@pytest.mark.parametrize(
    ("model", "can"),
    [
        (PLAIN, ["completion"]),
        (UNTOLD, ["completion"]),
        (EMBEDDER, ["embedding"]),
        (DECIDER, ["decision"]),
        (Model(key="clef", kind=Kind.DECISION, vision=Support.YES, tools=Support.YES), ["decision", "vision"]),
        (Model(key="text-embedding-qwen3-vl", kind=Kind.EMBEDDING, tools=Support.YES), ["embedding"]),
        (able(vision=Support.YES), ["completion", "vision"]),
        (able(tools=Support.YES), ["completion", "tools"]),
        (able(reasoning=Support.YES), ["completion", "thinking"]),
        (Model(key="qwen2.5-coder-7b", tools=Support.NO), ["completion", "insert"]),
        (Model(key="qwen3-vl-8b"), ["completion", "vision", "tools"]),
        (Model(key="qwen3-vl-8b", vision=Support.NO, tools=Support.NO), ["completion"]),
        (Model(key="deepseek-r1", reasoning=Support.NO), ["completion", "thinking"]),
        (
            Model(key="tiny-chat", vision=Support.YES, tools=Support.YES, reasoning=Support.YES),
            ["completion", "vision", "tools", "insert", "thinking"],
        ),
    ],
)
def test_capabilities_are_reported_or_derived_from_names(model, can):
    assert capabilities(model) == can


def refusal(check, *args):
    with pytest.raises(BadRequest) as caught:
        check(*args)
    return caught.value.text


@pytest.mark.parametrize("think", [True, "low", "max"])
def test_thinking_is_refused_where_it_certainly_does_not_happen(think):
    assert refusal(check_thinking, "plain", think, PLAIN) == '"plain" does not support thinking'


@pytest.mark.parametrize(
    ("think", "model"),
    [(False, PLAIN), (None, PLAIN), (True, UNTOLD), (True, Model(key="deepseek-r1", reasoning=Support.NO))],
)
def test_thinking_is_accepted_elsewhere(think, model):
    check_thinking("m", think, model)


@pytest.mark.parametrize("model", [EMBEDDER, DECIDER])
def test_chats_with_models_that_write_no_text_are_refused(model):
    assert refusal(check_chat, "m", (), model) == '"m" does not support chat'
    assert refusal(check_chat, "m", ({},), model) == '"m" does not support chat'
    assert refusal(check_generate, "m", "x", model) == '"m" does not support generate'


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("plain", "registry.ollama.ai/library/plain:latest"),
        ("acme/plain:8b", "registry.ollama.ai/acme/plain:8b"),
    ],
)
def test_tools_and_insertions_are_refused_with_the_full_name(name, full):
    assert refusal(check_chat, name, ({},), PLAIN) == f"{full} does not support tools"
    assert refusal(check_generate, name, "suffix", PLAIN) == f"{full} does not support insert"


def test_what_a_model_may_support_is_accepted():
    check_chat("m", (), PLAIN)
    check_chat("m", ({},), UNTOLD)
    check_generate("m", "", PLAIN)
    check_generate("m", "suffix", Model(key="qwen2.5-coder-7b"))
