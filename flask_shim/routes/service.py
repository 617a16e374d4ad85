"""The service routes: load and unload models, and chat with a named or a default model.

Their clients expect other error texts and another envelope than Ollama's.
"""

from __future__ import annotations

from flask import Blueprint, Response, current_app, request

from flask_shim._version import __version__
from flask_shim.error_responses import error_response, json_response
from flask_shim.errors import ShimError
from flask_shim.lmstudio.errors import BackendUnavailable, NoModelLoaded
from flask_shim.observability.request_context import current
from flask_shim.routes import service_chats, service_models

bp = Blueprint("service", __name__)
bp.register_blueprint(service_models.bp)
bp.register_blueprint(service_chats.bp)

_SHARED_ROUTES = ("/health",)
"""Routes of other blueprints that are part of this service."""


@bp.errorhandler(ShimError)
def _send_error(exc: ShimError) -> Response:
    current().failed(exc)
    if isinstance(exc, BackendUnavailable):
        exc = ShimError(f"Could not connect to LM Studio: {exc.why.capitalize()}", status=503)
    elif isinstance(exc, NoModelLoaded) or isinstance(exc.__cause__, NoModelLoaded):
        exc = ShimError("Chat service unavailable: No model loaded", status=503)
    return error_response(exc, request.path)


@bp.get("/help")
def help_() -> Response:
    """List the routes of this service and what each does."""
    endpoints = []
    for rule in current_app.url_map.iter_rules():
        if rule.endpoint.startswith(f"{bp.name}.") or rule.rule in _SHARED_ROUTES:
            summary = (current_app.view_functions[rule.endpoint].__doc__ or "").strip().partition("\n")[0]
            methods = sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
            endpoints += [{"method": method, "path": rule.rule, "description": summary} for method in methods]
    return json_response({"service": "flask-shim", "version": __version__, "endpoints": endpoints})
