"""Ollama's chat and generate."""

from __future__ import annotations

import logging
import time

from flask import Blueprint, Response, request

from flask_shim.answering import answered
from flask_shim.lmstudio.client import CHAT, COMPLETIONS
from flask_shim.routes import naming
from flask_shim.routes.generation import (
    check_format,
    completion,
    loaded,
    reading_of,
    unloaded,
    with_checked_options,
)
from flask_shim.schemas import load_chat, load_generate
from flask_shim.services import services
from flask_shim.translate.asks import GenerateAsk, Message
from flask_shim.translate.capabilities import check_chat, check_generate, check_thinking
from flask_shim.translate.context import from_context, to_context, turns_before
from flask_shim.translate.inheriting import inherited_chat, inherited_generate
from flask_shim.translate.offered import to_schemas
from flask_shim.translate.prompts import chat_prompt, check_raw, completion_prompt
from flask_shim.translate.records import ChatRecords, GenerateRecords
from flask_shim.translate.requests import chat_payload, completion_payload, generate_payload

log = logging.getLogger(__name__)

bp = Blueprint("ollama", __name__)


@bp.post("/api/chat")
def chat() -> Response:
    """Chat with a model."""
    started_ns = time.perf_counter_ns()
    ask = load_chat(request.get_data(cache=False))
    target = naming.resolve(ask.model, naming.CHAT)
    ask = inherited_chat(ask, target.entry)
    records = ChatRecords(ask.model)
    if not ask.messages and ask.keep_alive == 0:
        return unloaded(target, records)
    check_thinking(ask.model, ask.think, target.model)
    check_chat(ask.model, ask.tools, target.model)
    ask = with_checked_options(ask)
    if not ask.messages:
        return loaded(target, ask, records)
    check_format(ask)
    prompt = chat_prompt(ask, target.entry.template)
    if prompt is None:
        path, payload = CHAT, chat_payload(ask, target.model, services().defaults)
    else:
        path, payload = COMPLETIONS, completion_payload(ask, prompt, target.model, services().defaults)
    offered = to_schemas(tool["function"] for tool in ask.tools)
    opened = completion(path, payload, target, ask, started_ns)
    return answered(opened, records, reading_of(target, ask, offered), stream=ask.stream)


@bp.post("/api/generate")
def generate() -> Response:
    """Continue a prompt."""
    started_ns = time.perf_counter_ns()
    ask = load_generate(request.get_data(cache=False))
    target = naming.resolve(ask.model, naming.GENERATE)
    records = GenerateRecords(ask.model)
    if not ask.prompt and ask.keep_alive == 0:
        return unloaded(target, records)
    check_raw(ask)
    ask = inherited_generate(ask, target.entry)
    check_thinking(ask.model, ask.think, target.model)
    check_generate(ask.model, ask.suffix, target.model)
    ask = with_checked_options(ask)
    if not ask.prompt:
        return loaded(target, ask, records)
    check_format(ask)
    history = _history(ask) or target.entry.messages
    via_completions = services().config.generate_via == "completions"
    prompt = completion_prompt(ask, history, target.model, always=via_completions)
    if prompt is None:
        path, payload = CHAT, generate_payload(ask, history, target.model, services().defaults)
    else:
        path, payload = COMPLETIONS, completion_payload(ask, prompt, target.model, services().defaults)

    def remember(text: str) -> tuple[int, ...]:
        turns = (*turns_before(ask, history), Message("user", ask.prompt), Message("assistant", text))
        return () if ask.raw else to_context(turns)

    opened = completion(path, payload, target, ask, started_ns)
    return answered(opened, records, reading_of(target, ask), stream=ask.stream, to_context=remember)


def _history(ask: GenerateAsk) -> tuple[Message, ...]:
    turns = from_context(ask.context)
    if turns is None:
        log.warning("the context in the request was not made by this server: left out")
        return ()
    return turns
