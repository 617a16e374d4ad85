"""OpenAI's routes and LM Studio's own, passed through: names resolved, refusals avoided, answers untouched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson
from flask import Blueprint, Response, request

from flask_shim.directory import Target
from flask_shim.errors import BadRequest, NoSuchEndpoint
from flask_shim.guards import check_may_change
from flask_shim.relays import Request, relayed
from flask_shim.routes import naming
from flask_shim.schemas.body import kind, read_object
from flask_shim.services import services
from flask_shim.stays import Need, need_of
from flask_shim.streams import client_gone
from flask_shim.translate import capabilities
from flask_shim.translate.efforts import adapt_chat
from flask_shim.translate.inheriting import context_of, inherited_payload
from flask_shim.translate.openai import adapt, check_mcp
from flask_shim.translate.openai_checks import check_chat, check_completion
from flask_shim.translate.prompts import insertion
from flask_shim.translate.requests import Payload

bp = Blueprint("passthrough", __name__)

Body = Mapping[str, Any]


def _unchecked(_: Body) -> None:
    """Leave all checks to LM Studio."""


def _fitted(_: Target, payload: Payload) -> Payload:
    """Leave it to LM Studio which models it is for."""
    return payload


def _chat(target: Target, payload: Payload) -> Payload:
    """Refuse embedding models. Tools are left to LM Studio, which offers them to every model."""
    capabilities.check_chat(target.name, (), target.model)
    return payload


def _completion(target: Target, payload: Payload) -> Payload:
    """Refuse embedding models, and write a suffix into the prompt: LM Studio would leave it out."""
    capabilities.check_generate(target.name, "", target.model)
    prompt, suffix = payload.get("prompt"), payload.get("suffix")
    if not (isinstance(prompt, str) and isinstance(suffix, str) and suffix):
        return payload
    whole = insertion(target.name, prompt, suffix, target.model)
    return {**{key: value for key, value in payload.items() if key != "suffix"}, "prompt": whole}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """What is special about one route.

    What Ollama calls its body, what it refuses, how names fail, what is changed, and what is refused or changed for
    the sake of the model.
    """

    go_type: str = "openai.Request"
    check: Callable[[Body], None] = _unchecked
    naming: naming.Naming = naming.CHAT
    adapt: Callable[[Body], Payload] = adapt
    fitted: Callable[[Target, Payload], Payload] = _fitted


_MANNERS = {
    "/v1/chat/completions": Manners(
        go_type="openai.ChatCompletionRequest", check=check_chat, adapt=adapt_chat, fitted=_chat
    ),
    "/v1/completions": Manners(
        go_type="openai.CompletionRequest", check=check_completion, naming=naming.GENERATE, fitted=_completion
    ),
}
_PLAIN = Manners()

_NO_MODEL = ("/api/v1/models/unload", "/api/v1/models/download")
"""Their bodies name instances or models that are not here yet."""

_CHANGES_MODELS = ("/api/v1/models/load", "/api/v1/models/unload", "/api/v1/models/download")


@bp.route("/v1/<path:rest>", methods=["GET", "POST"])
@bp.route("/api/v0/<path:rest>", methods=["GET", "POST"])
@bp.route("/api/v1/<path:rest>", methods=["GET", "POST"])
def passthrough(rest: str) -> Response:  # noqa: ARG001  the whole path is passed on
    """Pass any other request through."""
    asked = _get() if request.method == "GET" else _post()
    try:
        return relayed(services(), asked, client_gone(request.environ))
    except NoSuchEndpoint as exc:
        raise BadRequest(exc.text, status=404) from exc
    finally:
        if changes_models(request.path):
            services().backend.catalogue.expire()


def _get() -> Request:
    return Request(method="GET", path=_path(), query=request.query_string.decode("ascii", "replace"))


def _post() -> Request:
    if changes_models(request.path):
        check_may_change(services().config)
    manners = _MANNERS.get(request.path, _PLAIN)
    raw, body = read_body(manners.go_type)
    manners.check(body)
    if request.path.lower() in _NO_MODEL:
        return posted(raw, body, manners.adapt(body), None)
    target = naming.resolve(_name(body, manners), manners.naming)
    return posted(raw, body, manners.fitted(target, manners.adapt(body)), target)


def read_body(go_type: str) -> tuple[bytes, dict[str, Any]]:
    """Return what was posted, as bytes and as an object without anything that is not allowed here."""
    raw = request.get_data(cache=False)
    body = read_object(raw, go_type, empty_text="EOF")
    check_mcp(body, allowed=services().config.allow_mcp)
    return raw, body


def posted(raw: bytes, body: Body, payload: Payload, target: Target | None) -> Request:
    """Return the request to pass on for ``target``: byte for byte, unless ``payload`` is another than ``body``."""
    is_change = changes_models(request.path)
    need = None
    if target is not None:
        payload["model"] = target.model.key if is_change else target.identifier
        payload = inherited_payload(request.path, payload, target.entry)
        need = need_unsaid(target)
    return Request(
        method="POST",
        path=_path(),
        query=request.query_string.decode("ascii", "replace"),
        body=raw if payload == body else orjson.dumps(payload),
        accept=request.headers.get("Accept", "*/*"),
        need=None if is_change else need,
    )


def changes_models(path: str) -> bool:
    """Tell whether LM Studio, which does not look at the case of paths, would load, unload or download there."""
    return path.lower() in _CHANGES_MODELS


def _path() -> str:
    """Return the path as it goes on: what was an escaped ? or % stays one, and means nothing but itself."""
    return quote(request.path, safe="/:@!$&'()*+,;=~")


def need_unsaid(target: Target) -> Need:
    """Return what a request needs of its model that has no way to say so."""
    return need_of(services(), target, context=context_of(target.entry) or services().config.default_context)


def _name(body: Body, manners: Manners) -> str:
    name = body.get("model")
    if name is not None and not isinstance(name, str):
        struct = manners.go_type.partition(".")[2]
        raise BadRequest(f"json: cannot unmarshal {kind(name)} into Go struct field {struct}.model of type string")
    return name or ""
