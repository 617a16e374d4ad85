"""Health checks: whether the process runs, and whether it can start a generation."""

from __future__ import annotations

from flask import Blueprint, Response, g

from flask_shim.error_responses import json_response
from flask_shim.errors import ShimError
from flask_shim.services import services

bp = Blueprint("health", __name__)


@bp.get("/")
def root() -> Response:
    """Answer as Ollama does; its command line checks this first."""
    return Response("Ollama is running", content_type="text/plain; charset=utf-8")


@bp.get("/health")
@bp.get("/healthz")
@bp.get("/ping")
def health() -> Response:
    """Report that the process runs, without a request to LM Studio."""
    return json_response({"status": "ok"})


@bp.get("/ready")
def ready() -> Response:
    """Report whether a generation could start now: LM Studio answers, and the shim is not stopping."""
    if services().slots.is_stopping:
        return json_response({"status": "draining"}, 503)
    details: dict[str, object] = {"lmstudio": services().config.backend_url}
    status = "ok"
    try:
        listing = services().backend.listing(must_answer=True)
        details |= {"generation": listing.api_version.name.lower(), "models": len(listing.models)}
    except ShimError as exc:
        status, details["error"] = "unavailable", exc.text
    return json_response({"status": status} | (details if g.has_access else {}), 200 if status == "ok" else 503)
