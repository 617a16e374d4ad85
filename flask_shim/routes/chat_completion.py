"""Chat completions for the routes whose requests say nothing about loading: /v1 and the service's chats."""

from __future__ import annotations

from flask import request

from flask_shim.inference.completion import Completion
from flask_shim.inference.respond import new_call_id
from flask_shim.inference.streaming import disconnect_check
from flask_shim.lmstudio.client import CHAT
from flask_shim.lmstudio.model import Model, Support
from flask_shim.models.registry import ResolvedModel
from flask_shim.observability.request_context import current
from flask_shim.routes.passthrough import default_requirements
from flask_shim.services import services
from flask_shim.translate.answer.answer_reader import ReaderOptions
from flask_shim.translate.answer.tool_schemas import to_schemas
from flask_shim.translate.anthropic.messages_request import MessagesRequest
from flask_shim.translate.ollama.alias_defaults import payload_with_alias_defaults
from flask_shim.translate.ollama.capabilities import has_thinking
from flask_shim.translate.ollama.payloads import Payload
from flask_shim.translate.ollama.requests import Think
from flask_shim.translate.openai.responses_request import ResponsesRequest


def open_chat(target: ResolvedModel, payload: Payload, started_ns: int) -> Completion:
    """Open the chat; the caller must close it."""
    payload = payload_with_alias_defaults(CHAT, payload, target.entry)
    is_disconnected = disconnect_check(request.environ)
    return Completion(services().manager, default_requirements(target), is_disconnected, started_ns).open(CHAT, payload)


def load_for_empty_chat(target: ResolvedModel) -> None:
    """Load the model for a request without messages, as Ollama does."""
    manager = services().manager
    manager.check_may_change()
    with manager.admit(disconnect_check(request.environ)) as call:
        manager.load(default_requirements(target), call)


def reader_options(target: ResolvedModel, api_request: ResponsesRequest | MessagesRequest) -> ReaderOptions:
    """Return how to read the answer to this request."""
    return ReaderOptions(
        offered=to_schemas(api_request.functions),
        mode="hide" if api_request.think is False else services().config.reasoning,
        can_think=has_thinking(target.model),
        wants_json=api_request.wants_json,
        new_id=new_call_id,
    )


def record_dropped_effort(think: Think, model: Model) -> None:
    """Record that a wish for thinking is left out: agents send it to every model, also to those that cannot think."""
    if think and model.reasoning is Support.NO:
        current().dropped += ("reasoning_effort",)
