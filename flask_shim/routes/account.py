"""Routes for an account at ollama.com: answered as Ollama does when no account is signed in."""

from __future__ import annotations

from flask import Blueprint, Response

from flask_shim.error_responses import json_response
from flask_shim.errors import Forbidden
from flask_shim.services import services
from flask_shim.translate.ollama.recommendations import to_recommendations

bp = Blueprint("account", __name__)


@bp.get("/api/status")
def status() -> Response:
    """Say that nothing leaves for ollama.com, so that clients offer no models from there."""
    return json_response({"cloud": {"disabled": True, "source": "config"}})


@bp.post("/api/me")
def me() -> Response:
    """Answer that no account is signed in: clients expect 401 here and take any other status as a failure.

    There is no ``signin_url``, for signing in would change nothing.
    """
    return json_response({"error": "unauthorized"}, 401)


@bp.post("/api/signout")
@bp.delete("/api/user/keys/<path:key>")
def signout(key: str = "") -> Response:  # noqa: ARG001  no key is known
    """Answer that no account was signed in."""
    return json_response({"error": "you are not currently signed in"}, 401)


@bp.post("/api/experimental/web_search")
def web_search() -> Response:
    """Refuse what only ollama.com can do."""
    raise Forbidden("ollama cloud is disabled: web search is unavailable")


@bp.post("/api/experimental/web_fetch")
def web_fetch() -> Response:
    """Refuse what only ollama.com can do."""
    raise Forbidden("ollama cloud is disabled: web fetch is unavailable")


@bp.get("/api/experimental/model-recommendations")
def recommendations() -> Response:
    """Recommend the models that are there: given none, clients recommend some that LM Studio cannot pull."""
    entries = services().registry.entries(services().backend.listing())
    return json_response(to_recommendations(entries))
