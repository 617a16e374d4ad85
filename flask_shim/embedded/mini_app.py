"""The miniature LM Studio as a Flask application."""

from __future__ import annotations

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from flask_shim.embedded import error_bodies, inference_routes, model_routes, relay
from flask_shim.embedded.error_bodies import json_answer
from flask_shim.embedded.mini_services import MiniServices, mini_services
from flask_shim.embedded.mini_settings import DEFAULTS, Generation, MiniSettings
from flask_shim.lmstudio.errors import ClientDisconnected

HIDDEN: dict[Generation, tuple[str, ...]] = {
    "v1": (),
    "v0": ("/api/v1/", "/v1/responses", "/v1/messages", "/v1/systemone"),
    "openai": ("/api/v1/", "/v1/responses", "/v1/messages", "/v1/systemone", "/api/v0/"),
}
"""The paths that each version does not have yet."""
OBJECT_ERRORS = ("/v1/responses", "/v1/messages")
"""The paths whose errors are objects instead of texts."""


def create_miniature(settings: MiniSettings = DEFAULTS) -> Flask:
    """Return a miniature LM Studio whose answers come from a real engine.

    ``app.extensions["miniature"]`` is its :class:`MiniServices`; the caller must close its ``loaded_models``.
    Raise NotSupported if the engine is not installed.
    """
    app = Flask(__name__, static_folder=None)
    # LM Studio neither answers OPTIONS nor merges slashes.
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    app.extensions["miniature"] = MiniServices(settings)
    app.register_blueprint(model_routes.routes)
    app.register_blueprint(inference_routes.routes)
    app.before_request(_hide_newer_paths)
    app.before_request(_read_body)
    app.after_request(_add_signature)
    app.register_error_handler(error_bodies.LMStudioError, lambda error: json_answer(error.body, error.status))
    app.register_error_handler(relay.EngineError, _engine_error)
    app.register_error_handler(ClientDisconnected, lambda exc: json_answer({"error": exc.text}, exc.status))
    app.register_error_handler(HTTPException, lambda _: _unexpected_endpoint())
    return app


def _hide_newer_paths() -> Response | None:
    return _unexpected_endpoint() if request.path.startswith(HIDDEN[mini_services().settings.generation]) else None


def _read_body() -> None:
    # LM Studio ignores a body without its content type.
    body = request.get_json(silent=True) if request.is_json else None
    if request.is_json and body is None and request.content_length:
        raise error_bodies.plain("Invalid JSON in request body")
    g.body = body if isinstance(body, dict) else {}


def _unexpected_endpoint() -> Response:
    """Return the error for an unknown path or method, which LM Studio sends with status 200."""
    query = request.query_string.decode("ascii", "replace")
    path = f"{request.path}?{query}" if query else request.path
    return json_answer({"error": f"Unexpected endpoint or method. ({request.method} {path})"})


def _engine_error(error: relay.EngineError) -> Response:
    """Return the engine's error; within the stream if one was requested, as LM Studio has started it by then."""
    text = error.text(is_old=mini_services().settings.generation != "v1")
    if request.path in OBJECT_ERRORS:
        return json_answer(error_bodies.openai(text, None, None).body, 400)
    return relay.error_stream(text) if g.body.get("stream") else json_answer({"error": text}, 400)


def _add_signature(response: Response) -> Response:
    response.headers["X-Powered-By"] = "Express"
    return response
