"""Prompts that skip the chat template: raw ones, insertions, and models that never learned to chat."""

from __future__ import annotations

import pytest

from flask_shim.errors import BadRequest
from flask_shim.lmstudio.errors import NotSupported
from flask_shim.lmstudio.model import Model
from flask_shim.translate.ollama.prompts import check_raw, completion_prompt
from flask_shim.translate.ollama.requests import GenerateRequest, Message

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
