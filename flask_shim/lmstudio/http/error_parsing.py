"""What the backend says when it refuses, in whatever of its envelopes, turned into one exception. Pure.

LM Studio wraps its errors in at least eight ways, answers 200 to paths it does not know, and 400 to its own
crashes; so the text decides more than the status does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from flask_shim.errors import (
    BackendError,
    BackendProtocolError,
    BackendRequestError,
    ModelEvicted,
    ModelLoadError,
    NoModelLoaded,
    NoSuchEndpoint,
    ServerBusy,
    ShimError,
    UnsupportedReasoningEffort,
)

MAX_TEXT = 500
"""More of a backend's text than this says nothing to a person."""

REDACTED_TEXT = "LM Studio's own words, which went to the client"
"""What a log says in their place: they may quote the prompt."""

_MAX_RETRY_AFTER = 60
_MAX_DEPTH = 6


def parse_error_response(
    status: int, body: bytes, headers: Mapping[str, str] | None = None, *, token: str | None = None
) -> ShimError:
    """Return the exception for an answer that is an error.

    ``body`` is whatever came with it; the ``token`` we sent is taken out.
    """
    if 300 <= status < 400:
        return BackendProtocolError("LM Studio answered with an unexpected redirect")
    text = error_text(redact_token(token, body))
    return error_from_text(text, status, code=_code(body), retry_after=_seconds(headers))


def redact_token(token: str | None, body: bytes) -> bytes:
    """Return a body in which the token that LM Studio was sent does not stand: errors go on to clients."""
    return body.replace(token.encode(), b"***") if token else body


def error_from_text(text: str, status: int = 400, *, code: str = "", retry_after: int | None = None) -> ShimError:
    """Return the exception for an error text: by what it says first, by the status second."""
    failure = _failure(text, status, code, retry_after)
    if text and not failure.log_text:
        failure.log_text = REDACTED_TEXT
    return failure


def _failure(text: str, status: int, code: str, retry_after: int | None) -> ShimError:
    for pattern, make in _BY_TEXT:
        if pattern.search(text):
            return make(text)
    if code == "model_not_found":
        return BackendRequestError(text, status=404)
    if status in (401, 403):
        return BackendError(
            f"LM Studio rejected the API token: {text}",
            log_text=f"LM Studio rejected the API token: {REDACTED_TEXT}",
        )
    if status in (429, 503):
        return ServerBusy(text or "LM Studio is busy, please try again", retry_after=retry_after or 1)
    if status >= 500:
        return BackendError(text or f"LM Studio failed with status {status}")
    if status == 404:
        return BackendRequestError(text or "LM Studio found nothing there", status=404)
    return BackendRequestError(text or "LM Studio refused the request")


def _endpoint(text: str) -> ShimError:
    return NoSuchEndpoint(f"this LM Studio does not have what was asked for: {text}")


_BY_TEXT: tuple[tuple[re.Pattern[str], Callable[[str], ShimError]], ...] = (
    (re.compile(r"^Unexpected endpoint or method"), _endpoint),
    (re.compile(r"^No models loaded|Model is not loaded", re.I), NoModelLoaded),
    (re.compile(r"model (is |was |has been )?unloaded", re.I), ModelEvicted),
    (
        re.compile(
            r"model has crashed|Channel Error|Failed to load model|Error loading model"
            r"|insufficient system resources|exited before becoming healthy|model_load_failed|No LM Runtime found"
            r"|startup was aborted",
            re.I,
        ),
        ModelLoadError,
    ),
    # The request's own fault, though inside a stream there is no status left to say so.
    (
        re.compile(
            r"available context size|context the overflows|greater than the context length|n_keep|fit in context length"
            r"|does not support images|base64 encoded image|load image or audio|jinja",
            re.I,
        ),
        BackendRequestError,
    ),
    (
        re.compile(r"reasoning[ _.]?effort|support reasoning|reasoning (configuration|setting|parameter)", re.I),
        UnsupportedReasoningEffort,
    ),
)


def error_text(body: bytes) -> str:
    """Return the one text in an error body of any shape, at most MAX_TEXT characters; "" when there is none to show."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body[: 4 * MAX_TEXT].decode("utf-8", "replace").strip()
        return "" if text.startswith("<") else text[:MAX_TEXT]  # never show somebody's HTML
    return _text(value, _MAX_DEPTH).strip()[:MAX_TEXT]


def _text(value: Any, depth: int) -> str:
    if depth == 0:
        return ""
    if isinstance(value, str):
        return _unwrap(value, depth)
    if isinstance(value, Mapping):
        for key in ("error", "message", "title", "detail", "msg"):
            if value.get(key):
                return _text(value[key], depth - 1)
        return ""
    if isinstance(value, list):
        return "; ".join(filter(None, (_issue(item, depth) for item in value)))
    return "" if value is None or isinstance(value, bool) else str(value)


def _issue(item: Any, depth: int) -> str:
    """Return one entry of a validation error list: its path and its message."""
    text = _text(item, depth - 1)
    path = item.get("path") if isinstance(item, Mapping) else None
    return f"{'.'.join(map(str, path))}: {text}" if isinstance(path, list) and path and text else text


def _unwrap(text: str, depth: int) -> str:
    """Take JSON out of a string: ``<prefix> 400: {"error": …}`` and ``[{"message": …}]``."""
    start = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=-1)
    if start < 0:
        return text
    try:
        value = orjson.loads(text[start:])
    except orjson.JSONDecodeError:
        return text
    if isinstance(value, list) and not all(isinstance(item, Mapping) for item in value):
        return text  # "must be one of [0, 1]" is no list of issues
    return _text(value, depth - 1) or text


def _code(body: bytes) -> str:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    error = value.get("error") if isinstance(value, Mapping) else None
    code = error.get("code") or error.get("type") if isinstance(error, Mapping) else None
    return code if isinstance(code, str) else ""


def _seconds(headers: Mapping[str, str] | None) -> int | None:
    value = (headers or {}).get("Retry-After", "")
    return min(int(value), _MAX_RETRY_AFTER) if value.isdigit() and len(value) < 10 else None
