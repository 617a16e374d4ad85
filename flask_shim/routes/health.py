"""Health checks: whether the process runs, and whether it can start a generation."""

from __future__ import annotations

from flask import Blueprint, Response, request

from flask_shim.error_responses import json_response
from flask_shim.errors import ShimError
from flask_shim.observability.request_context import current
from flask_shim.services import services

bp = Blueprint("health", __name__)

_FOR_BROWSERS = """\
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>flask-shim</title>
<p>Ollama is running</p>
<p><a href="shim/">Monitor and control this server</a></p>
</html>
"""


@bp.get("/")
def root() -> Response:
    """Answer as Ollama does; its command line checks this first. Browsers get a link to the page."""
    accepted = request.accept_mimetypes
    if accepted["text/html"] > accepted["text/plain"]:
        return Response(_FOR_BROWSERS, content_type="text/html; charset=utf-8", headers={"Vary": "Accept"})
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
        listing = services().backends.listing(must_answer=True)
        details |= {"generation": listing.api_version.name.lower(), "models": len(listing.models)}
    except ShimError as exc:
        can_wake = any(backend.is_asleep for backend in services().backends)
        status, details["error"] = "ok" if can_wake else "unavailable", exc.text
    if len(services().backends) > 1:
        details["backends"] = {backend.name: backend.state for backend in services().backends}
    return json_response({"status": status} | (details if current().has_access else {}), 200 if status == "ok" else 503)
