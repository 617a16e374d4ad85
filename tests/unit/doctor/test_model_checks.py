"""What the doctor makes of the models, and which one it chats with."""

from __future__ import annotations

import pytest

from flask_shim.doctor.model_checks import ListedModel, choose_chat_model, judge_fitness, judge_models, read_model_lists

CHAT, TOOLS, EMBED = frozenset({"completion"}), frozenset({"completion", "tools"}), frozenset({"embedding"})

LARGE = ListedModel("large:latest", TOOLS, 131_072)
SMALL = ListedModel("small:latest", TOOLS, 4096, is_loaded=True)
PLAIN = ListedModel("plain:latest", CHAT, 32_768, is_loaded=True)
COLD = ListedModel("cold:latest", TOOLS, 4096)
TINY = ListedModel("tiny:latest", TOOLS, 4096, is_loaded=True, most_context=8192)
VECTORS = ListedModel("vectors:latest", EMBED, 2048, is_loaded=True)


def test_lists_are_read_together():
    tags = {
        "models": [
            {"name": "a:latest", "capabilities": ["completion"], "details": {"context_length": 8192}},
            {"name": "b:latest", "capabilities": ["completion"], "details": {"context_length": 8192}},
        ]
    }
    ps = {"models": [{"name": "b:latest", "context_length": 4096}]}
    v0 = {"data": [{"id": "b", "max_context_length": 8192}, {"id": "c", "max_context_length": 1}]}
    assert read_model_lists(tags, ps, v0) == [
        ListedModel("a:latest", CHAT, 8192),
        ListedModel("b:latest", CHAT, 4096, is_loaded=True, most_context=8192),
    ]


@pytest.mark.parametrize("odd", [None, [], {"models": None}, {"models": [None, {"name": ["a"]}, {"name": ""}]}])
def test_lists_of_another_form_are_empty(odd):
    assert read_model_lists(odd, odd, odd) == []


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        ([], {"no-chat-model": "fail"}),
        ([VECTORS], {"no-chat-model": "fail"}),
        ([LARGE, VECTORS], {"models": "ok", "loaded": "note"}),
        ([SMALL], {"models": "ok", "loaded": "note"}),
    ],
)
def test_models_are_judged(levels, models, expected):
    assert levels(judge_models(models)) == expected


def test_models_that_cannot_chat_are_counted_whatever_they_can():
    decide = ListedModel("decide:latest", frozenset({"decision"}))
    assert next(judge_models([LARGE, VECTORS, decide])).text == "1 of 3 models can chat"


@pytest.mark.parametrize(
    ("models", "needs", "expected"),
    [
        ([LARGE, VECTORS], {"context": 65_536, "needs_tools": True}, {"context": "ok", "tools": "ok"}),
        ([SMALL, LARGE], {"context": 65_536, "needs_tools": False}, {"context": "warn"}),
        ([SMALL, LARGE], {"context": 65_536, "needs_tools": False, "requests_context": True}, {"context": "note"}),
        ([COLD, LARGE], {"context": 65_536, "needs_tools": False}, {"context": "ok"}),
        ([COLD], {"context": 65_536, "needs_tools": False}, {"context": "note"}),
        ([TINY], {"context": 16_384, "needs_tools": False}, {"context": "note"}),
        ([TINY], {"context": 8192, "needs_tools": False}, {"context": "warn"}),
        ([TINY, SMALL], {"context": 16_384, "needs_tools": False}, {"context": "warn"}),
        ([PLAIN], {"context": 16_384, "needs_tools": True}, {"context": "ok", "tools": "fail"}),
        ([PLAIN, LARGE], {"context": 0, "needs_tools": True}, {"tools": "note"}),
        ([ListedModel("odd:latest", CHAT)], {"context": 16_384, "needs_tools": False}, {"context": "ok"}),
    ],
)
def test_fitness_for_a_client_is_judged(levels, models, needs, expected):
    assert levels(judge_fitness(models, **needs)) == expected


@pytest.mark.parametrize(
    ("model", "wanted", "said"),
    [
        (SMALL, 65_536, "SHIM_DEFAULT_CONTEXT=65536"),
        (TINY, 8192, "SHIM_DEFAULT_CONTEXT=8192"),
        (TINY, 65_536, "at most 8192"),
    ],
)
def test_remedy_for_little_context_is_within_the_model(model, wanted, said):
    (finding,) = judge_fitness([model, LARGE], context=wanted, needs_tools=False)
    assert f"{model.name} (4096)" in finding.text
    assert said in finding.remedy


@pytest.mark.parametrize(
    ("models", "wants_chat", "least", "chosen"),
    [
        ([LARGE, PLAIN], None, 0, PLAIN),
        ([LARGE, PLAIN], True, 0, PLAIN),
        ([LARGE, PLAIN], False, 0, None),
        ([LARGE, VECTORS], None, 0, None),
        ([LARGE, VECTORS], True, 0, LARGE),
        ([LARGE, PLAIN], None, 65_536, None),  # it would be reloaded
        ([PLAIN, SMALL], None, 0, SMALL),
        ([VECTORS], True, 0, None),
    ],
)
def test_a_suitable_model_is_chosen_for_a_chat(models, wants_chat, least, chosen):
    assert choose_chat_model(models, wants_chat, least=least, needs_tools=True) == chosen
