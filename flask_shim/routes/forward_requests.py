"""Read a request that may be forwarded, and build what is sent to LM Studio for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from flask import request

from flask_shim.inference.forwarding import ForwardRequest
from flask_shim.models.registry import ResolvedModel
from flask_shim.observability.request_context import current
from flask_shim.routes.model_requests import adjust_payload
from flask_shim.schemas.json_body import read_json
from flask_shim.services import services
from flask_shim.translate.ollama.payloads import Payload
from flask_shim.translate.openai.chat_completions import check_mcp

Body = Mapping[str, Any]

_CHANGES_MODELS = ("/api/v1/models/load", "/api/v1/models/unload", "/api/v1/models/download")


def read_body(go_type: str) -> tuple[bytes, dict[str, Any]]:
    """Return the body as valid JSON and as an object; reject what is not allowed."""
    raw, body = read_json(request.get_data(cache=False), go_type, empty_text="EOF")
    check_mcp(body, allowed=services().config.allow_mcp)
    current().options = tuple(body)
    return raw, body


def build_forward_request(raw: bytes, body: Body, payload: Payload, target: ResolvedModel | None) -> ForwardRequest:
    """Return the request to forward for ``target``: byte for byte, unless ``payload`` differs from ``body``."""
    requirements = None
    if target is not None:
        ttl = body.get("ttl")
        client_ttl = float(ttl) if isinstance(ttl, int | float) else None
        payload, requirements = adjust_payload(request.path, payload, target, ttl=client_ttl)
        if changes_models(request.path):
            payload, requirements = {**target.entry.load_settings, **payload, "model": target.model.key}, None
    current().dropped += tuple(name for name in body if name not in payload)
    return ForwardRequest(
        path=quoted_path(),
        query=query_text(),
        raw=raw,
        body=body,
        payload=payload,
        accept=request.headers.get("Accept", "*/*"),
        requirements=requirements,
        backend=None if target is None else target.backend,
    )


def changes_models(path: str) -> bool:
    """Return whether LM Studio, whose paths are case-insensitive, loads, unloads or downloads there."""
    return path.lower() in _CHANGES_MODELS


def quoted_path() -> str:
    """Return the path of the request percent-encoded: an escaped ? or % stays escaped."""
    return quote(request.path, safe="/:@!$&'()*+,;=~")


def query_text() -> str:
    """Return the query string."""
    return request.query_string.decode("ascii", "replace")
