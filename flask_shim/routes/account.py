"""Routes for an account at ollama.com, answered as Ollama does without one."""

from __future__ import annotations

from flask import Blueprint, Response, request

from flask_shim.error_responses import json_response
from flask_shim.errors import BadRequest, Forbidden
from flask_shim.services import services
from flask_shim.translate.ollama.listing import to_recommendations

bp = Blueprint("account", __name__)


@bp.get("/api/status")
def status() -> Response:
    """Report that ollama.com is disabled, so that clients offer no models from there."""
    return json_response({"cloud": {"disabled": True, "source": "config"}})


@bp.post("/api/me")
def me() -> Response:
    """Answer that no account is signed in: clients expect 401 here and treat any other status as a failure.

    ``signin_url`` is left out, because signing in would change nothing.
    """
    return json_response({"error": "unauthorized"}, 401)


@bp.post("/api/signout")
@bp.delete("/api/user/keys/<path:key>")
def signout(key: str = "") -> Response:  # noqa: ARG001  no key is known
    """Answer that no account was signed in."""
    return json_response({"error": "you are not currently signed in"}, 401)


@bp.post("/api/experimental/web_search", defaults={"operation": "web search"})
@bp.post("/api/experimental/web_fetch", defaults={"operation": "web fetch"})
def use_cloud(operation: str) -> Response:
    """Reject what only ollama.com can do."""
    if not request.get_data(cache=False).strip():
        raise BadRequest("missing request body")
    raise Forbidden(f"ollama cloud is disabled: {operation} is unavailable")


@bp.get("/api/experimental/model-recommendations")
def recommendations() -> Response:
    """Recommend the models of LM Studio: without any, clients recommend some that it can't download."""
    entries = services().registry.entries(services().backends.listing())
    return json_response(to_recommendations(entries))
