"""Prompts that skip the model's chat template: raw ones, insertions, base models, templates of the request."""

from __future__ import annotations

import pytest

from flask_shim.errors import BadRequest, ShimError
from flask_shim.lmstudio.errors import NotSupported
from flask_shim.lmstudio.model import Model
from flask_shim.translate.ollama.prompts import (
    chat_prompt,
    check_raw,
    check_template,
    completion_prompt,
    fill_template,
    template_fault,
)
from flask_shim.translate.ollama.requests import ChatRequest, GenerateRequest, Message

CHATS = Model(key="qwen/qwen3-8b")
CODER = Model(key="qwen2.5-coder-7b")
BASE = Model(key="mistral-7b-base")
HISTORY = (Message("user", "Hi"), Message("assistant", "Hello!"))


def prompt(model=CHATS, history=(), always=False, **fields):
    return completion_prompt(
        GenerateRequest(model="m", **{"prompt": "def f(", **fields}), history, model, always=always
    )


def test_a_plain_prompt_is_left_to_the_chat_template():
    assert prompt() is None
    assert prompt(system="Be brief.", history=HISTORY) is None


def test_a_raw_prompt_is_sent_unchanged():
    assert prompt(raw=True) == "def f("
    assert prompt(raw=True, suffix=")", model=CODER) == "def f("


def test_an_insertion_is_put_between_the_models_tokens():
    assert prompt(CODER, suffix=")") == "<|fim_prefix|>def f(<|fim_suffix|>)<|fim_middle|>"


def test_an_insertion_by_another_model_is_refused():
    with pytest.raises(BadRequest, match=r"registry\.ollama\.ai/library/m:latest does not support insert"):
        prompt(suffix=")")


def test_a_base_model_gets_the_plain_text():
    assert prompt(BASE) == "def f("
    assert prompt(BASE, HISTORY, system="Be brief.") == "Be brief.\n\nHi\n\nHello!\n\ndef f("


@pytest.mark.parametrize("fields", [{"raw": True}, {"suffix": ")"}])
def test_a_prompt_without_the_models_template_cannot_hold_pictures(fields):
    with pytest.raises(NotSupported, match="accepts images only where it applies the model's own template"):
        prompt(CODER, images=("MQ==",), **fields)


def test_the_system_text_of_a_prompt_replaces_an_older_one():
    history = (Message("system", "Be loud."), *HISTORY)
    assert prompt(BASE, history, system="Be brief.") == "Be brief.\n\nHi\n\nHello!\n\ndef f("
    assert prompt(BASE, history) == "Be loud.\n\nHi\n\nHello!\n\ndef f("


def test_the_setting_skips_the_template_for_every_model():
    assert prompt(always=True) == "def f("
    assert prompt(always=True, images=("MQ==",)) is None


@pytest.mark.parametrize("conflict", [{"template": "{{ .Prompt }}"}, {"system": "x"}, {"context": (1,)}])
def test_raw_contradicts_what_a_template_would_use(conflict):
    with pytest.raises(BadRequest, match=r"^raw mode does not support template, system, or context$"):
        check_raw(GenerateRequest(model="m", raw=True, **conflict))
    check_raw(GenerateRequest(model="m", **conflict))


MODEL = Model(key="tiny")
CHATML = "<s>{{ .System }}</s><u>{{ .Prompt }}</u><a>{{ .Response }}</a>"


def turns(*pairs):
    return tuple(Message(role, content) for role, content in pairs)


@pytest.mark.parametrize(
    ("template", "said", "prompt"),
    [
        ("{{ .Prompt }}", [("user", "hi")], "hi"),
        ("{{.Prompt}}", [("user", "hi")], "hi"),
        ("a  {{- .Prompt -}}  b", [("user", "hi")], "ahib"),
        ("a {{- .Prompt }} b", [("user", "hi")], "ahi b"),
        ("no placeholder", [("user", "hi")], "no placeholder"),
        (CHATML, [("user", "hi")], "<s></s><u>hi</u><a>"),
        (CHATML, [("system", "S"), ("user", "hi")], "<s>S</s><u>hi</u><a>"),
        (CHATML, [("developer", "S"), ("user", "hi")], "<s>S</s><u>hi</u><a>"),
        (CHATML, [("user", "hi"), ("assistant", "He")], "<s></s><u>hi</u><a>He"),
        (
            CHATML,
            [("user", "1"), ("assistant", "one"), ("user", "2")],
            "<s></s><u>1</u><a>one</a><s></s><u>2</u><a>",
        ),
        (CHATML, [("user", "1"), ("user", "2")], "<s></s><u>1\n\n2</u><a>"),
        (CHATML, [("user", "1"), ("system", "S"), ("user", "2")], "<s></s><u>1</u><a></a><s>S</s><u>2</u><a>"),
        (CHATML, [("user", "1"), ("assistant", "x"), ("tool", "2")], "<s></s><u>1</u><a>x</a><s></s><u>2</u><a>"),
        ("[{{ .Prompt }}]", [("user", "1"), ("assistant", "one"), ("user", "2")], "[1]one[2]"),
        ("{{ .Prompt }}{{ .Suffix }}!", [("user", "{{ .System }}")], "{{ .System }}!"),
        (CHATML, [], "<s></s><u></u><a>"),
    ],
)
def test_a_template_is_filled_in_round_by_round(template, said, prompt):
    assert fill_template(template, turns(*said)) == prompt


@pytest.mark.parametrize("template", ["{{ if .System }}x{{ end }}", "{{ .Messages }}", "{{ .Prompt | upper }}", "{{}}"])
def test_a_template_that_is_a_program_is_refused(template):
    with pytest.raises(NotSupported, match="only templates made of"):
        check_template(template)
    with pytest.raises(NotSupported, match="only templates made of"):
        fill_template(template, ())


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("{{ .Bad", "template: :1: unclosed action"),
        ("a\n{{ .Prompt }}\n{{", "template: :3: unclosed action"),
        ("{{ .Prompt }}", ""),
        ("}}", ""),
        ("", ""),
    ],
)
def test_an_action_without_an_end_is_named_with_its_line(template, fault):
    assert template_fault(template) == fault


def test_an_action_without_an_end_is_a_failure_when_it_is_used():
    with pytest.raises(ShimError, match="template: :1: unclosed action") as caught:
        fill_template("{{ .Bad", ())
    assert caught.value.status == 500


def test_a_prompt_is_filled_in_behind_its_history():
    ask = GenerateRequest(model="tiny", prompt="2", system="S", template=CHATML)
    history = turns(("user", "1"), ("assistant", "one"))
    assert completion_prompt(ask, history, MODEL, always=False) == "<s>S</s><u>1</u><a>one</a><s></s><u>2</u><a>"


def test_pictures_are_refused_where_a_template_is_filled_in():
    picture = Message("user", "look", images=("eA==",))
    with pytest.raises(NotSupported, match="images"):
        chat_prompt(ChatRequest(model="tiny", messages=(picture,)), CHATML)
    with pytest.raises(NotSupported, match="images"):
        completion_prompt(
            GenerateRequest(model="tiny", prompt="look", images=("eA==",), template=CHATML), (), MODEL, always=False
        )
