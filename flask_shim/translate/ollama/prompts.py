"""Prompts for /v1/completions, where LM Studio applies no chat template."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from flask_shim.errors import BadRequest, ShimError
from flask_shim.lmstudio.errors import NotSupported
from flask_shim.lmstudio.model import Model
from flask_shim.translate.ollama.capabilities import check_generate
from flask_shim.translate.ollama.context import turns_before
from flask_shim.translate.ollama.name_heuristics import insert_tokens, suggests_base
from flask_shim.translate.ollama.requests import ChatRequest, GenerateRequest, Message

_PLACEHOLDER = re.compile(r"\{\{(?:(-)\s+|\s*)\.(System|Prompt|Response|Suffix)(?:\s+(-)|\s*)\}\}")
"""A hyphen removes the white space on its side; :func:`_pieces` does so, as a leading ``\\s*`` is quadratic."""

MAX_TEMPLATE_CHARACTERS = 64 * 1024

_SLOTS = {"system": 0, "developer": 0, "user": 1, "assistant": 2}
"""The place of a turn in its round; any other role is a prompt."""

Round = list[str]
"""System, prompt and response; each may be empty."""


def check_raw(request: GenerateRequest) -> None:
    """Reject what contradicts raw mode, as Ollama does."""
    if request.raw and (request.template or request.system or request.context):
        raise BadRequest("raw mode does not support template, system, or context")


def chat_prompt(request: ChatRequest, template: str) -> str:
    """Return the turns filled into ``template``, which replaces the model's own."""
    for message in request.messages:
        _reject_images(message.images)
    return fill_template(template, request.messages)


def completion_prompt(
    request: GenerateRequest, history: tuple[Message, ...], model: Model, *, always: bool
) -> str | None:
    """Return the prompt to send as it is, None if LM Studio applies the model's chat template.

    With ``always`` none is applied.
    """
    if request.raw or request.suffix or request.template:
        _reject_images(request.images)
    if request.raw:
        return request.prompt
    if request.suffix:
        return insertion_prompt(request.model, request.prompt, request.suffix, model)
    before = turns_before(request, history)
    if request.template:
        return fill_template(request.template, (*before, Message("user", request.prompt)))
    if request.images or not (always or suggests_base(model.key)):
        return None
    return "".join(f"{turn.content}\n\n" for turn in before if turn.content) + request.prompt


def insertion_prompt(name: str, before: str, after: str, model: Model) -> str:
    """Return the prompt for an insertion between two texts; reject a model that is not trained for it.

    ``name`` is the client's name of the model.
    """
    check_generate(name, after, model)
    tokens = insert_tokens(model.key)
    if tokens is None:
        raise AssertionError("checked above")
    prefix, suffix, middle = tokens
    return f"{prefix}{before}{suffix}{after}{middle}"


def _reject_images(images: Sequence[str]) -> None:
    if images:
        raise NotSupported("LM Studio accepts images only where it applies the model's own template")


def template_fault(template: str) -> str:
    """Return the error of Go's parser for an action without an end, "" if there is no such action."""
    start = template.rfind("{{")
    if start <= template.rfind("}}"):
        return ""
    line = template.count("\n", 0, start) + 1
    return f"template: :{line}: unclosed action"


def check_template(template: str) -> None:
    """Reject a template that is more than placeholders: Go's templates cannot be executed here."""
    if len(template) > MAX_TEMPLATE_CHARACTERS:
        raise BadRequest(f"the template is longer than {MAX_TEMPLATE_CHARACTERS} characters")
    if "{{" in _PLACEHOLDER.sub("", template):
        raise NotSupported(
            "LM Studio applies the model's own template: only templates made of {{ .System }}, {{ .Prompt }} and"
            " {{ .Response }} are honored here"
        )


def fill_template(template: str, turns: Iterable[Message]) -> str:
    """Fill every round of turns into a template, the last one up to its response."""
    if fault := template_fault(template):
        raise ShimError(fault)
    check_template(template)
    pieces = _pieces(template)
    if "Response" not in pieces[1::2]:
        pieces += ["Response", ""]
    *past, last = _rounds(turns)
    until_response = pieces[: 2 * pieces[1::2].index("Response") + 2]
    return "".join(_fill_round(pieces, one) for one in past) + _fill_round(until_response, last)


def _pieces(template: str) -> list[str]:
    """Return text, name, text, name, …, text."""
    first, *rest = _PLACEHOLDER.split(template)
    pieces = [first]
    for before, name, after, text in zip(*(iter(rest),) * 4, strict=True):
        if before:
            pieces[-1] = pieces[-1].rstrip()
        pieces += [name, text.lstrip() if after else text]
    return pieces


def _rounds(turns: Iterable[Message]) -> list[Round]:
    """Split the turns into rounds; a turn that belongs before one of its round starts a new one."""
    rounds: list[Round] = [["", "", ""]]
    last = 0
    for turn in turns:
        slot = _SLOTS.get(turn.role, 1)
        if slot < last:
            rounds.append(["", "", ""])
        last = slot
        rounds[-1][slot] = "\n\n".join(filter(None, (rounds[-1][slot], turn.content)))
    return rounds


def _fill_round(pieces: Sequence[str], one: Round) -> str:
    values = dict(zip(("System", "Prompt", "Response"), one, strict=True))
    return "".join(values.get(piece, "") if at % 2 else piece for at, piece in enumerate(pieces))
