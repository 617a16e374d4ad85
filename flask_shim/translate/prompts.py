"""Prompts that skip the chat template, for /v1/completions. Pure."""

from __future__ import annotations

import re

from flask_shim.errors import BadRequest, NotSupported
from flask_shim.lmstudio.model import Model
from flask_shim.translate.asks import GenerateAsk, Message
from flask_shim.translate.capabilities import check_generate
from flask_shim.translate.families import insert_tokens, suggests_base

_PLACEHOLDER = re.compile(r"\{\{-?\s*\.(System|Prompt|Response|Suffix)\s*-?\}\}")


def check_raw(ask: GenerateAsk) -> None:
    """Refuse what contradicts raw mode, in Ollama's words."""
    if ask.raw and (ask.template or ask.system or ask.context):
        raise BadRequest("raw mode does not support template, system, or context")


def completion_prompt(ask: GenerateAsk, history: tuple[Message, ...], model: Model, *, always: bool) -> str | None:
    """Return the prompt to send as it is, None when the model's chat template should be applied.

    ``always`` is the user's wish never to apply a chat template.
    """
    if ask.raw:
        return ask.prompt
    if ask.suffix:
        return _insertion(ask, model)
    if ask.template:
        return _from_template(ask)
    if ask.images or not (always or suggests_base(model.key)):
        return None
    return "".join(_before(ask, history)) + ask.prompt


def _before(ask: GenerateAsk, history: tuple[Message, ...]) -> list[str]:
    return [f"{text}\n\n" for text in (ask.system, *(turn.content for turn in history)) if text]


def _insertion(ask: GenerateAsk, model: Model) -> str:
    check_generate(ask.model, ask.suffix, model)
    tokens = insert_tokens(model.key)
    if tokens is None:
        raise AssertionError("checked above")
    prefix, suffix, middle = tokens
    return f"{prefix}{ask.prompt}{suffix}{ask.suffix}{middle}"


def _from_template(ask: GenerateAsk) -> str:
    """Fill in a template made of placeholders only; what Go's templates can do beyond that is refused."""
    values = {"System": ask.system, "Prompt": ask.prompt, "Response": "", "Suffix": ask.suffix}
    if "{{" in _PLACEHOLDER.sub("", ask.template):
        raise NotSupported(
            "LM Studio applies the model's own template: only templates made of {{ .System }}, {{ .Prompt }} and"
            " {{ .Response }} are honoured here"
        )
    return _PLACEHOLDER.sub(lambda match: values[match[1]], ask.template.partition("{{ .Response }}")[0])
