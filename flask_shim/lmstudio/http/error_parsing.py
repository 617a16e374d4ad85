"""Turn an error of LM Studio, in any of its envelopes, into one exception. No I/O.

LM Studio wraps errors in at least eight ways, sends unknown paths a status 200 and its own crashes a status 400, and
reports in a stream, or inside a 500, what its engine answered with 400. So the text decides first, then the status
that the engine gave, and the status of the response last.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from flask_shim.errors import ShimError
from flask_shim.lmstudio.errors import (
    BackendError,
    BackendProtocolError,
    BackendRequestError,
    ContextOverflow,
    ModelEvicted,
    ModelLoadError,
    NoModelLoaded,
    NoSuchEndpoint,
    ServerBusy,
    UnsupportedReasoningEffort,
)

MAX_TEXT = 500
"""Longer texts are cut to this many characters."""

REDACTED_TEXT = "LM Studio's error text, which was sent to the client"
"""Stands in logs for texts of LM Studio, which may quote the prompt."""

_MAX_RETRY_AFTER = 60
_MAX_DEPTH = 6


@dataclass(frozen=True, slots=True)
class _Details:
    """What an error body states; ``status`` is the engine's, which may differ from the response's."""

    text: str = ""
    status: int | None = None
    type: str | None = None
    code: str | None = None
    param: str | None = None


def parse_error_response(
    status: int, body: bytes, headers: Mapping[str, str] | None = None, *, token: str | None = None
) -> ShimError:
    """Return the exception for a response that is an error; ``token``, the API token that was sent, is masked."""
    if 300 <= status < 400:
        return BackendProtocolError("LM Studio answered with an unexpected redirect")
    return _to_error(_parse(redact_token(token, body)), status, _retry_after(headers))


def parse_error_event(payload: bytes, *, token: str | None = None) -> ShimError:
    """Return the exception for the data of an error event in a stream, which has no status of its own."""
    details = _parse(redact_token(token, payload))
    return _to_error(replace(details, text=details.text or "LM Studio reported an error without a text"), 500)


def error_from_text(text: str, status: int = 400) -> ShimError:
    """Return the exception for an error text that came without an envelope."""
    return _to_error(_Details(text), status)


def error_text(body: bytes) -> str:
    """Return the text in an error body of any shape, at most MAX_TEXT characters, "" if it has none or is HTML."""
    return _parse(body).text


def redact_token(token: str | None, body: bytes) -> bytes:
    """Return ``body`` with the API token masked, since errors are sent on to clients."""
    return body.replace(token.encode(), b"***") if token else body


_KINDS: tuple[tuple[re.Pattern[str], type[ShimError]], ...] = (
    (re.compile(r"^Unexpected endpoint or method"), NoSuchEndpoint),
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
    (
        re.compile(
            r"available context size|context size has been exceeded|context the overflows|context overflow"
            r"|greater than the context length|n_keep|fit in context length|exceed_context_size|maximum context length",
            re.I,
        ),
        ContextOverflow,
    ),
    # The engine reports these with status 500, or in a stream, though the request is at fault.
    (
        re.compile(
            r"does not support images|(image|audio) input is not supported|base64 encoded image|load image or audio"
            r"|jinja|JSON schema|unable to generate parser|parse grammar|initialize samplers"
            r"|failed to parse (tools|messages|tool call arguments)"
            r"|is not iterable",  # "messages" that is no list (lmstudio-bug-tracker#377)
            re.I,
        ),
        BackendRequestError,
    ),
    (
        re.compile(r"reasoning[ _.]?effort|support reasoning|reasoning (configuration|setting|parameter)", re.I),
        UnsupportedReasoningEffort,
    ),
)

_KINDS_BY_CODE: dict[str | None, type[ShimError]] = {
    "exceed_context_size_error": ContextOverflow,
    "context_length_exceeded": ContextOverflow,
    "model_load_failed": ModelLoadError,
}

_REQUEST_ERROR_TYPES = ("invalid_request_error", "invalid_request")
_NUMBER = re.compile(r"\b\d{1,9}\b")


def _to_error(details: _Details, status: int, retry_after: int | None = None) -> ShimError:
    """Return the exception, with a text for logs, and with ``param`` and ``code`` if the request is at fault."""
    error = _by_text(details) or _by_status(details, status, retry_after)
    if details.text and not error.log_text:
        error.log_text = REDACTED_TEXT
    if isinstance(error, BackendRequestError):
        error.param, error.code = details.param, details.code
    return error


def _by_text(details: _Details) -> ShimError | None:
    text = details.text
    kind = next((kind for pattern, kind in _KINDS if pattern.search(text)), None)
    kind = kind or _KINDS_BY_CODE.get(details.type) or _KINDS_BY_CODE.get(details.code)
    if kind is NoSuchEndpoint:
        return NoSuchEndpoint(f"this LM Studio does not have what was asked for: {text}")
    if kind is ContextOverflow:
        # All known texts name the size of the prompt first, then the size of the context.
        numbers = [int(number) for number in _NUMBER.findall(text)]
        return ContextOverflow(text, *numbers) if len(numbers) == 2 else ContextOverflow(text)
    return kind(text) if kind else None


def _by_status(details: _Details, status: int, retry_after: int | None) -> ShimError:
    text = details.text
    if "model_not_found" in (details.code, details.type):
        return BackendRequestError(text, status=404)
    if details.status is not None:
        status = details.status
    elif status >= 500 and details.type in _REQUEST_ERROR_TYPES:
        status = 400
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


def _parse(body: bytes) -> _Details:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body[: 4 * MAX_TEXT].decode("utf-8", "replace").strip()
        details = _Details("" if text.startswith("<") else text)
    else:
        details = _details(value, _MAX_DEPTH)
    return replace(details, text=details.text.strip()[:MAX_TEXT])


def _details(value: Any, depth: int) -> _Details:
    """Return what ``value`` states; where levels differ, the innermost is the origin of the error."""
    if depth == 0:
        return _Details()
    if isinstance(value, str):
        return _unwrap(value, depth)
    if isinstance(value, Mapping):
        keys = ("error", "message", "title", "detail", "msg")
        inner = next((_details(value[key], depth - 1) for key in keys if value.get(key)), _Details())
        code = value.get("code")
        return replace(
            inner,
            status=inner.status or (code if isinstance(code, int) and 400 <= code <= 599 else None),
            type=inner.type or _string(value.get("type")),
            code=inner.code or _string(code),
            param=inner.param or _string(value.get("param")),
        )
    if isinstance(value, list):
        return _Details("; ".join(filter(None, (_issue(item, depth) for item in value))))
    return _Details("" if value is None or isinstance(value, bool) else str(value))


def _string(value: Any) -> str | None:
    return value[:MAX_TEXT] if isinstance(value, str) and value else None


def _issue(item: Any, depth: int) -> str:
    """Return one entry of a validation error list: its path and its message."""
    text = _details(item, depth - 1).text
    path = item.get("path") if isinstance(item, Mapping) else None
    return f"{'.'.join(map(str, path))}: {text}" if isinstance(path, list) and path and text else text


_ENGINE_STATUS = re.compile(r"Engine protocol \w+ request returned ([45]\d\d)\b")


def _unwrap(text: str, depth: int) -> _Details:
    """Read the JSON in a string, such as ``Engine protocol predict request returned 400: {"error": …}``."""
    match = _ENGINE_STATUS.search(text)
    outer = _Details(text, int(match[1]) if match else None)
    start = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=-1)
    if start < 0:
        return outer
    try:
        value = orjson.loads(text[start:])
    except orjson.JSONDecodeError:
        return outer
    if isinstance(value, list) and not all(isinstance(item, Mapping) for item in value):
        return outer  # "must be one of [0, 1]" is no list of issues
    inner = _details(value, depth - 1)
    return replace(inner, status=inner.status or outer.status) if inner.text else outer


def _retry_after(headers: Mapping[str, str] | None) -> int | None:
    value = (headers or {}).get("Retry-After", "")
    return min(int(value), _MAX_RETRY_AFTER) if value.isdigit() and len(value) < 10 else None
