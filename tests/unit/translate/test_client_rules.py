"""What a rule matches, and how it changes settings."""

from __future__ import annotations

import pytest

from flask_shim.config.shim_file import Bounds, ClientRule, Options
from flask_shim.translate.client_rules import RequestFacts, apply_rule, changed_names, is_match
from flask_shim.translate.request_settings import RequestSettings

FACTS = RequestFacts(
    client="VS Code",
    user_agent="GitHubCopilotChat/0.42.0",
    route="/v1/chat/completions",
    models=("fast:latest", "fast", "qwen/qwen3-4b"),
    keys=("editor",),
)


@pytest.mark.parametrize(
    ("conditions", "is_so"),
    [
        ({}, True),
        ({"client": ("vs code",)}, True),
        ({"client": ("Codex", "VS Code")}, True),
        ({"user_agent": ("*copilot*",)}, True),
        ({"route": ("/v1/*",)}, True),
        ({"route": ("/v1",)}, False),
        ({"model": ("qwen/*",)}, True),
        ({"model": ("fast",)}, True),
        ({"key": ("editor",)}, True),
        ({"key": ("other",)}, False),
        ({"client": ("VS Code",), "model": ("llama*",)}, False),
    ],
)
def test_a_rule_matches_by_all_that_it_names(conditions, is_so):
    assert is_match(ClientRule(**conditions), FACTS) is is_so


@pytest.mark.parametrize(
    ("actions", "options", "expected"),
    [
        ({"set": Options(temperature=0.2)}, {"temperature": 1.0, "seed": 1}, {"temperature": 0.2, "seed": 1}),
        ({"set": Options(stop=("a", "b"))}, {}, {"stop": ["a", "b"]}),
        ({"drop": ("seed",)}, {"seed": 1, "top_k": 5}, {"top_k": 5}),
        ({"drop": ("seed",), "set": Options(seed=2)}, {"seed": 1}, {"seed": 2}),
        ({"min": Bounds(num_ctx=8192)}, {"num_ctx": 2048}, {"num_ctx": 8192}),
        ({"max": Bounds(num_ctx=8192)}, {"num_ctx": 65536}, {"num_ctx": 8192}),
        ({"max": Bounds(num_ctx=8192)}, {"num_ctx": 4096}, {"num_ctx": 4096}),
        ({"max": Bounds(num_predict=100)}, {"num_predict": -1}, {"num_predict": 100}),
        ({"max": Bounds(num_ctx=8192)}, {}, {}),
        ({"max": Bounds(num_ctx=8192)}, {"num_ctx": "many"}, {"num_ctx": "many"}),
        ({"set": Options(top_k=90), "max": Bounds(top_k=40)}, {}, {"top_k": 40}),
    ],
)
def test_options_are_dropped_then_set_then_bounded(actions, options, expected):
    assert apply_rule(ClientRule(**actions), RequestSettings(options=options)).options == expected


@pytest.mark.parametrize(
    ("actions", "system", "expected"),
    [
        ({"prepend_system": "A"}, "B", "A\n\nB"),
        ({"append_system": "C"}, "B", "B\n\nC"),
        ({"replace_system": "X", "append_system": "C"}, "B", "X\n\nC"),
        ({"append_system": "C"}, "", "C"),
        ({"append_system": "C"}, None, None),
    ],
)
def test_texts_go_around_the_system_prompt(actions, system, expected):
    assert apply_rule(ClientRule(**actions), RequestSettings(system=system)).system == expected


def test_what_a_rule_does_not_name_stays():
    before = RequestSettings(options={"seed": 1}, think="high", keep_alive=60.0, system="B")
    assert apply_rule(ClientRule(), before) == before


def test_every_change_has_a_name():
    before = RequestSettings(options={"seed": 1, "top_k": 2}, think=True)
    rule = ClientRule(drop=("seed",), think=False, keep_alive=5.0, hide_thinking=True)
    assert set(changed_names(before, apply_rule(rule, before))) == {"seed", "think", "keep_alive", "hide_thinking"}
