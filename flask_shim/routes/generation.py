"""What chat and generate have in common: the checks, the load and unload calls, the answer."""

from __future__ import annotations

import dataclasses
import logging
import time
from typing import TypeVar

from flask import Response, request

from flask_shim.answering import new_call_id
from flask_shim.completions import Completion
from flask_shim.directory import Target
from flask_shim.errors import ShimError
from flask_shim.faces import json_response
from flask_shim.guards import check_may_change
from flask_shim.services import services
from flask_shim.stays import Need, load, need_of, unload
from flask_shim.streams import client_gone
from flask_shim.translate.asks import EmbedAsk, EmbeddingsAsk, GenerateAsk, GenerationAsk, InvalidFormat
from flask_shim.translate.capabilities import has_thinking
from flask_shim.translate.dates import to_utc
from flask_shim.translate.offered import Schemas
from flask_shim.translate.options import check_options
from flask_shim.translate.records import Records
from flask_shim.translate.replies import Reading
from flask_shim.translate.requests import Payload

log = logging.getLogger(__name__)

ModelAsk = GenerationAsk | EmbedAsk | EmbeddingsAsk
"""What has options and a keep-alive."""

Ask = TypeVar("Ask", bound=ModelAsk)


def with_checked_options(ask: Ask) -> Ask:
    """Return the ask with options of the right types; raise Ollama's 500 for a wrong one."""
    checked = check_options(ask.options)
    if checked.unknown:
        log.debug("options without effect: %s", ", ".join(checked.unknown))
    return dataclasses.replace(ask, options=checked.known)


def check_format(ask: GenerationAsk) -> None:
    """Refuse a format that is none; Ollama does it once the model is loaded, with a 500."""
    if isinstance(ask.format, InvalidFormat):
        raise ShimError(ask.format.complaint, status=500, own_words="invalid format")


def need_of_ask(target: Target, ask: ModelAsk) -> Need:
    """Return what the ask needs of its model."""
    context = ask.options.get("num_ctx") or services().config.default_context
    keep_alive = services().config.unload_ttl if ask.keep_alive == 0 else ask.keep_alive
    return need_of(services(), target, keep_alive=keep_alive, context=context)


def completion(path: str, payload: Payload, target: Target, ask: GenerationAsk, started_ns: int) -> Completion:
    """Open the completion; it belongs to the caller."""
    need = need_of_ask(target, ask)
    return Completion(services(), need, client_gone(request.environ), started_ns).open(
        path, {**payload, "model": target.identifier}
    )


def loaded(target: Target, ask: GenerationAsk, records: Records) -> Response:
    """Load the model and answer with the one object that says so."""
    load_only(target, ask)
    return json_response(records.bare("load", to_utc(time.time_ns())))


def load_only(target: Target, ask: ModelAsk) -> None:
    """Load the model and start its keep-alive."""
    check_may_change(services().config)
    services().backend.listing(must_answer=True)  # one that went away holds no model
    with services().work(client_gone(request.environ)) as call:
        load(services(), need_of_ask(target, ask), call)


def unloaded(target: Target, records: Records) -> Response:
    """Unload the model and answer with the one object that says so."""
    unload_only(target)
    return json_response(records.bare("unload", to_utc(time.time_ns())))


def unload_only(target: Target) -> None:
    """Unload the model."""
    check_may_change(services().config)
    with services().work(client_gone(request.environ)) as call:
        unload(services(), target.model, call)


def reading_of(target: Target, ask: GenerationAsk, offered: Schemas | None = None) -> Reading:
    """Return how the answer to this ask is to be read."""
    return Reading(
        offered=offered or {},
        mode="hide" if ask.think is False else services().config.reasoning,
        can_think=has_thinking(target.model),
        is_raw=isinstance(ask, GenerateAsk) and ask.raw,
        wants_json=ask.format is not None,
        new_id=new_call_id,
    )
