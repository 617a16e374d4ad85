"""Send errors in the envelope of the protocol: Ollama's, OpenAI's, Anthropic's or that of the service routes."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge
from werkzeug.routing import RequestRedirect

from flask_shim.errors import BodyTooLarge, ShimError, UnsupportedEncoding
from flask_shim.observability.request_context import current
from flask_shim.translate.error_messages import (
    anthropic_message,
    message_with_param,
    ollama_message,
    openai_code,
    openai_message,
    openai_param,
)

log = logging.getLogger(__name__)

JSON_UTF8 = "application/json; charset=utf-8"

Envelope = Callable[[ShimError], dict[str, Any]]


def ollama_error(error: ShimError) -> dict[str, Any]:
    """Return Ollama's envelope: one key, always a string."""
    return {"error": ollama_message(error)}


_OPENAI_TYPES = {400: "invalid_request_error", 404: "not_found_error"}


def openai_error(error: ShimError, prompt: str = "messages") -> dict[str, Any]:
    """Return OpenAI's envelope with the types that Ollama gives; ``prompt`` is the prompt's name on the route."""
    return {
        "error": {
            "message": openai_message(error),
            "type": _OPENAI_TYPES.get(error.status, "api_error"),
            "param": openai_param(error, prompt),
            "code": openai_code(error),
        }
    }


responses_error = partial(openai_error, prompt="input")
completions_error = partial(openai_error, prompt="prompt")

_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    529: "overloaded_error",
}


def anthropic_error(error: ShimError) -> dict[str, Any]:
    """Return Anthropic's envelope, with a new request id."""
    body = {"type": _ANTHROPIC_TYPES.get(error.status, "api_error"), "message": anthropic_message(error)}
    return {"type": "error", "error": body, "request_id": f"req_{secrets.token_hex(12)}"}


def service_error(error: ShimError) -> dict[str, Any]:
    """Return the envelope of the service routes."""
    return {"detail": message_with_param(error)}


_ENVELOPES: tuple[tuple[str, Envelope], ...] = (
    ("/v1/systemone", ollama_error),
    ("/v1/messages", anthropic_error),
    ("/v1/responses", responses_error),
    ("/v1/completions", completions_error),
    ("/v1/", openai_error),
    ("/api/v0/", openai_error),
    ("/api/v1/", openai_error),
    ("/models", service_error),
    ("/chat", service_error),
    ("/help", service_error),
)
"""The first matching prefix decides; all other paths use Ollama's envelope."""


def envelope_of(path: str) -> Envelope:
    """Return the function that builds the error body for ``path``."""
    return next((envelope for prefix, envelope in _ENVELOPES if path.startswith(prefix)), ollama_error)


def json_response(body: Any, status: int = 200) -> Response:
    """Return ``body`` as JSON with Ollama's content type."""
    return Response(orjson.dumps(body), status, mimetype="application/json", content_type=JSON_UTF8)


def error_response(exc: ShimError, path: str) -> Response:
    """Return the response for an error before the first byte was sent."""
    response = json_response(envelope_of(path)(exc), exc.status)
    if exc.retry_after is not None:
        response.headers["Retry-After"] = str(exc.retry_after)
    if exc.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(exc, UnsupportedEncoding):
        response.headers["Accept-Encoding"] = exc.supported  # RFC 9110 section 15.5.16
    return response


def init_app(app: Flask) -> None:
    """Attach the handlers to ``app``."""
    app.register_error_handler(ShimError, _shim_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _bug)


def _shim_error(exc: ShimError) -> Response:
    current().fail(exc)
    return error_response(exc, request.path)


def _http_error(exc: HTTPException) -> Response:
    if isinstance(exc, RequestRedirect):
        return Response("", 307 if request.method != "GET" else 301, {"Location": exc.new_url})
    if isinstance(exc, NotFound):
        return Response("404 page not found", 404, content_type="text/plain")  # no charset, as Ollama
    if isinstance(exc, MethodNotAllowed):
        response = Response("405 method not allowed", 405, content_type="text/plain")
        allowed = [method for method in ("HEAD", "GET", "POST", "DELETE") if method in (exc.valid_methods or ())]
        response.headers["Allow"] = ", ".join(allowed)
        return response
    if isinstance(exc, RequestEntityTooLarge):
        return error_response(BodyTooLarge("request body is too large"), request.path)
    return error_response(ShimError(exc.description or exc.name, status=exc.code or 500), request.path)


def _bug(exc: Exception) -> Response:
    current().fail(exc)
    log.error("internal error path=%s", request.path, exc_info=exc)
    return error_response(ShimError("internal error"), request.path)
