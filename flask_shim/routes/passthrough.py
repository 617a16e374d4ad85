"""Forward OpenAI's routes and LM Studio's own: resolve names, repair requests, leave answers as they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from flask_shim.errors import BadRequest, UnsupportedEncoding
from flask_shim.inference.forwarding import ForwardRequest, forward, forward_list
from flask_shim.inference.respond import new_call_id
from flask_shim.lmstudio.client import CHAT
from flask_shim.lmstudio.errors import NoSuchEndpoint
from flask_shim.models.backends import Backend
from flask_shim.models.registry import ResolvedModel
from flask_shim.observability.request_context import current
from flask_shim.routes.forward_requests import (
    Body,
    build_forward_request,
    changes_models,
    query_text,
    quoted_path,
    read_body,
)
from flask_shim.routes.model_requests import drop_billing_line
from flask_shim.routes.naming import CHAT_NAMING, GENERATE_NAMING, Naming
from flask_shim.schemas.json_body import kind
from flask_shim.services import services
from flask_shim.translate.answer.answer_reader import ReaderOptions
from flask_shim.translate.answer.tool_schemas import to_schemas
from flask_shim.translate.chat_turns import SYSTEM_ROLES
from flask_shim.translate.ollama import capabilities
from flask_shim.translate.ollama.payloads import Payload
from flask_shim.translate.ollama.prompts import insertion_prompt
from flask_shim.translate.openai.chat_completions import adapt, adapt_chat, check_chat, check_completion
from flask_shim.translate.openai.chat_repairs import ChatRepairer, ThinkingRemover
from flask_shim.translate.structured_output import schema_of

bp = Blueprint("passthrough", __name__)


def _adapt_chat(body: Body, target: ResolvedModel) -> Payload:
    """Reject embedding models, and repair the chat. LM Studio offers tools to every model."""
    capabilities.check_chat(target.name, (), target.model)
    return adapt_chat(_without_billing_line(body), target.model)


def _without_billing_line(body: Body) -> Body:
    """Return a chat without the billing line that proxies of Claude Code hand on in the first system turn."""
    turns = body.get("messages")
    if not isinstance(turns, list) or not turns:
        return body
    first = turns[0]
    if not isinstance(first, dict) or first.get("role") not in SYSTEM_ROLES:
        return body
    content = drop_billing_line(first.get("content"))
    if content == first.get("content"):
        return body
    return {**body, "messages": [*([{**first, "content": content}] if content else []), *turns[1:]]}


def _adapt_completion(body: Body, target: ResolvedModel) -> Payload:
    """Reject embedding models, and write a suffix into the prompt, because LM Studio ignores it."""
    capabilities.check_generate(target.name, "", target.model)
    payload = adapt(body, target.model)
    prompt, suffix = payload.get("prompt"), payload.get("suffix")
    if not (isinstance(prompt, str) and isinstance(suffix, str) and suffix):
        return payload
    del payload["suffix"]
    return {**payload, "prompt": insertion_prompt(target.name, prompt, suffix, target.model)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePolicy:
    """How one route reads, checks and adapts a body before it is forwarded. ``go_type`` is Ollama's name of it."""

    go_type: str = "openai.Request"
    check: Callable[[Body], None] = lambda _: None
    naming: Naming = CHAT_NAMING
    adapt: Callable[[Body, ResolvedModel], Payload] = lambda body, target: adapt(body, target.model)


_POLICIES = {
    "/v1/chat/completions": RoutePolicy(go_type="openai.ChatCompletionRequest", check=check_chat, adapt=_adapt_chat),
    "/v1/completions": RoutePolicy(
        go_type="openai.CompletionRequest", check=check_completion, naming=GENERATE_NAMING, adapt=_adapt_completion
    ),
}
_DEFAULT_POLICY = RoutePolicy()

_NO_MODEL = ("/api/v1/models/unload", "/api/v1/models/download")
"""Their bodies name instances, or models that are not downloaded yet."""

BACKEND_HEADER = "X-Shim-Backend"
"""Names the LM Studio that answers a request to LM Studio's own API. It is not forwarded."""


@bp.route("/v1/<path:rest>", methods=["GET", "POST"])
@bp.route("/api/v0/<path:rest>", methods=["GET", "POST"])
@bp.route("/api/v1/<path:rest>", methods=["GET", "POST"])
def passthrough(rest: str) -> Response:  # noqa: ARG001  the whole path is forwarded
    """Forward any other request."""
    try:
        if request.method == "GET":
            backend = _wanted_backend() or services().backends.first
            return forward_list(backend, quoted_path(), query=query_text())
        return forward(_read_post())
    except NoSuchEndpoint as exc:
        raise BadRequest(exc.text, status=404) from exc
    finally:
        if changes_models(request.path):
            for backend in services().backends:
                backend.client.catalogue.expire()


def _wanted_backend() -> Backend | None:
    """Return the LM Studio that the client names, None if it leaves the choice; raise BadRequest for a wrong name."""
    name, backends = request.headers.get(BACKEND_HEADER), services().backends
    if not name or not request.path.startswith("/api/") or not backends.first.name:
        return None
    return backends.by_name(name.lower())


def _read_post() -> ForwardRequest:
    if changes_models(request.path):
        services().manager.check_may_change()
    policy, backend = _POLICIES.get(request.path, _DEFAULT_POLICY), _wanted_backend()
    try:
        raw, body = read_body(policy.go_type)
        policy.check(body)
        if request.path.lower() in _NO_MODEL:
            return dataclasses.replace(build_forward_request(raw, body, adapt(body), None), backend=backend)
        target = policy.naming.resolve(_name(body, policy))
        if backend is not None:
            target = target.at(backend)
    except (BadRequest, UnsupportedEncoding) as exc:
        if request.path in _POLICIES or not request.path.startswith("/v1/"):
            raise
        raise NotFound from exc  # a path that Ollama does not know, and that only a request with a model may go on to
    forward_request = build_forward_request(raw, body, policy.adapt(body, target), target)
    if request.path != CHAT:
        return forward_request
    return dataclasses.replace(forward_request, completer=_chat_repairer(forward_request.payload))


def _chat_repairer(payload: Mapping[str, Any]) -> ChatRepairer:
    tools = payload.get("tools")
    functions = [tool.get("function") for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    offered = to_schemas(each for each in functions if isinstance(each, dict) and each.get("name"))
    wants_json = schema_of(payload) is not None
    repairer = ThinkingRemover if current().hides_thinking else ChatRepairer
    return repairer(ReaderOptions(offered=offered, wants_json=wants_json, new_id=new_call_id))


def _name(body: Body, policy: RoutePolicy) -> str:
    name = body.get("model")
    if name is not None and not isinstance(name, str):
        struct = policy.go_type.partition(".")[2]
        raise BadRequest(f"json: cannot unmarshal {kind(name)} into Go struct field {struct}.model of type string")
    return name or ""
