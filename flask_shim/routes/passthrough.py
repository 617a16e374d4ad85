"""OpenAI's routes and LM Studio's own, passed through: names resolved, refusals avoided, answers untouched."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response, request

from flask_shim.errors import BadRequest, NoSuchEndpoint
from flask_shim.faces import json_response
from flask_shim.relays import Request, relayed
from flask_shim.routes import naming
from flask_shim.schemas.body import read_object
from flask_shim.services import services
from flask_shim.stays import Need
from flask_shim.streams import client_gone
from flask_shim.translate.openai import adapt, check_mcp

bp = Blueprint("passthrough", __name__)

_NAMING = {"/v1/completions": naming.GENERATE, "/v1/embeddings": naming.EMBED}
_NO_MODEL = ("/api/v1/models/unload", "/api/v1/models/download")
"""Their bodies name instances or models that are not here yet."""

_CHANGES_MODELS = ("/api/v1/models/load", "/api/v1/models/unload", "/api/v1/models/download")


@bp.get("/v1/models/<path:name>")
def model(name: str) -> Response:
    """Describe one model as Ollama does; names may have slashes in them."""
    services().backend.listing(must_answer=True)
    target = naming.resolve(name, naming.SHOW)
    return json_response(
        {
            "id": name,
            "object": "model",
            "created": target.entry.modified_ns // 1_000_000_000,
            "owned_by": target.model.publisher or "library",
        }
    )


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
        if asked.path in _CHANGES_MODELS:
            services().backend.catalogue.expire()


def _get() -> Request:
    return Request(method="GET", path=request.path, query=request.query_string.decode("ascii", "replace"))


def _post() -> Request:
    raw = request.get_data(cache=False)
    path = request.path
    body = read_object(raw, "openai.Request", empty_text="EOF")
    check_mcp(body, allowed=services().config.allow_mcp)
    need = None
    payload: dict[str, Any] = adapt(body)
    if path not in _NO_MODEL:
        target = naming.resolve(_name(body), _NAMING.get(path, naming.CHAT))
        need = Need(target=target)
        payload["model"] = target.identifier if path not in _CHANGES_MODELS else target.model.key
    return Request(
        method="POST",
        path=path,
        query=request.query_string.decode("ascii", "replace"),
        body=raw if payload == body else orjson.dumps(payload),
        accept=request.headers.get("Accept", "*/*"),
        need=None if path in _CHANGES_MODELS else need,
    )


def _name(body: dict[str, Any]) -> str:
    name = body.get("model", "")
    if not isinstance(name, str):
        raise BadRequest("model must be a string")
    return name
