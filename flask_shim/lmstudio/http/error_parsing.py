"""Turn an error of LM Studio, in any of its envelopes, into one exception.

LM Studio 0.3 and 0.4 have at least eight envelopes, send status 200 for unknown paths and 400 for crashes, and report
an error 400 of the engine in a stream or inside a 500. So the text decides first, then the status that the engine gave,
and the status of the response last.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
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
"""Replaces texts of LM Studio in logs, since they may quote the prompt."""

_MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class _Details:
    """What an error body states; ``status`` is the engine's, ``sizes`` are the tokens of prompt and context."""

    text: str = ""
    status: int | None = None
    type: str | None = None
    code: str | None = None
    param: str | None = None
    sizes: tuple[int, int] | None = None


def parse_error_response(
    status: int, body: bytes, headers: Mapping[str, str] | None = None, *, token: str | None = None
) -> ShimError:
    """Return the exception for an error response, with the API ``token`` that was sent masked."""
    if 300 <= status < 400:
        return BackendProtocolError("LM Studio answered with an unexpected redirect")
    seconds = (headers or {}).get("Retry-After", "")
    retry_after = min(int(seconds), 60) if seconds.isdigit() and len(seconds) < 10 else None
    return _to_error(_parse(redact_token(token, body)), status, retry_after)


def parse_error_event(payload: bytes, *, token: str | None = None) -> ShimError:
    """Return the exception for the data of an error event in a stream, which has no status."""
    details = _parse(redact_token(token, payload))
    return _to_error(replace(details, text=details.text or "LM Studio reported an error without a text"), 500)


def error_from_text(text: str, status: int = 400) -> ShimError:
    """Return the exception for an error text that came without an envelope."""
    return _to_error(_Details(text), status)


def error_text(body: bytes) -> str:
    """Return the text of an error body, at most MAX_TEXT characters, "" if it has none or is HTML."""
    return _parse(body).text


def redact_token(token: str | None, body: bytes) -> bytes:
    """Return ``body`` with the API token masked, since clients receive the errors."""
    return body.replace(token.encode(), b"***") if token else body


_KINDS: tuple[tuple[re.Pattern[str], type[ShimError]], ...] = (
    (re.compile(r"^(Unexpected endpoint or method|(404 page |File )?not found$)", re.I), NoSuchEndpoint),
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
            r"|(greater|longer) than the (model's )?context|n_keep|fit in context length|exceed_context_size"
            r"|maximum context length|prompt is too long|exceeds? the (model's )?context"
            r"|is too large to process|maximum allowed length",  # llama.cpp, of a text to embed; SGLang
            re.I,
        ),
        ContextOverflow,
    ),
    (  # faults of the request that llama.cpp reports with status 500
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

_REQUEST_ERROR_TYPES = ("invalid_request_error", "invalid_request", "BadRequestError")
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
    by_code = _KINDS_BY_CODE.get(details.type) or _KINDS_BY_CODE.get(details.code)
    kind = next((kind for pattern, kind in _KINDS if pattern.search(text)), by_code)
    if kind is NoSuchEndpoint:
        return NoSuchEndpoint(f"this version of LM Studio does not have that route: {text}")
    if kind is ContextOverflow:
        # Texts name the two sizes in either order; the prompt is the longer one.
        sizes = details.sizes or tuple(sorted(map(int, _NUMBER.findall(text)), reverse=True))
        return ContextOverflow(text, *sizes) if len(sizes) == 2 else ContextOverflow(text)
    return kind(text) if kind else None


def _by_status(details: _Details, status: int, retry_after: int | None) -> ShimError:
    text = details.text
    if "model_not_found" in (details.code, details.type):
        return BackendRequestError(text, status=404)
    status = details.status or status
    if status >= 500 and details.type in _REQUEST_ERROR_TYPES:
        status = 400
    if status in (401, 403):
        rejected = "LM Studio rejected the API token"
        return BackendError(f"{rejected}: {text or f'status {status}'}", log_text=f"{rejected}: {REDACTED_TEXT}")
    if status in (429, 503):
        return ServerBusy(text or "LM Studio is busy, please try again", retry_after=retry_after or 1)
    if status >= 500 or status == 408:  # the client may repeat both (RFC 9110, section 15.5.9)
        return BackendError(text or f"LM Studio failed with status {status}")
    if status == 404:
        return BackendRequestError(text or "LM Studio found nothing there", status=404)
    return BackendRequestError(text or "LM Studio refused the request")


def _parse(body: bytes) -> _Details:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body[: 4 * MAX_TEXT].decode("utf-8", "replace").strip()
        details = _Details() if text.startswith("<") else _unwrap(text, _MAX_DEPTH)
    else:
        details = _details(value, _MAX_DEPTH)
    return replace(details, text=details.text.strip()[:MAX_TEXT])


_TEXT_KEYS = ("cause", "error", "errors", "response", "message", "title", "detail", "msg")


def _details(value: Any, depth: int) -> _Details:
    """Return what ``value`` states; where levels differ, the innermost is the origin of the error."""
    if depth == 0:
        return _Details()
    if isinstance(value, str):
        return _unwrap(value, depth)
    if isinstance(value, Mapping):
        inner = next((found for key in _TEXT_KEYS if (found := _details(value.get(key), depth - 1)).text), _Details())
        code, prompt, context = value.get("code"), value.get("n_prompt_tokens"), value.get("n_ctx")
        return replace(
            inner,
            status=inner.status or _status(code) or _status(value.get("status") or value.get("status_code")),
            type=inner.type or _string(value.get("type")),
            code=inner.code or (None if _status(code) else _string(code)),
            param=inner.param or _string(value.get("param")),
            sizes=inner.sizes or ((prompt, context) if isinstance(prompt, int) and isinstance(context, int) else None),
        )
    if isinstance(value, list):
        issues = [_issue(item, depth - 1) for item in value]
        text = "; ".join(issue.text for issue in issues if issue.text)
        return replace(issues[0] if len(issues) == 1 else _Details(), text=text)
    return _Details("" if value is None or isinstance(value, bool) else str(value))


def _string(value: Any) -> str | None:
    return value[:MAX_TEXT] if isinstance(value, str) and value else None


def _status(value: Any) -> int | None:
    return int(value) if re.fullmatch("[45][0-9][0-9]", str(value)) else None


def _issue(item: Any, depth: int) -> _Details:
    """Return an entry of a list of errors; the text of a validation error begins with its path."""
    details = _details(item, depth)
    path = (item.get("path") or item.get("loc")) if isinstance(item, Mapping) else None
    names = [str(name) for name in path if name != "body"] if isinstance(path, list) else []  # FastAPI begins with it
    return replace(details, text=f"{'.'.join(names)}: {details.text}") if names and details.text else details


_PREFIX_STATUS = re.compile(r"(?:^HTTP|request (?:returned|failed with status(?: code)?)) ([45]\d\d)\b")
_JSON_START = re.compile(r'"?[{\[]')
_MAX_STARTS = 8


def _unwrap(text: str, depth: int) -> _Details:
    """Read the JSON in a string, such as ``Engine protocol predict request returned 400: {"error": …}``."""
    match = _PREFIX_STATUS.search(text)
    outer = _Details(text, int(match[1]) if match else None)
    for start in islice(_JSON_START.finditer(text), _MAX_STARTS):
        try:
            value, _ = json.JSONDecoder().raw_decode(text, start.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(value, list) and not all(isinstance(item, Mapping) for item in value):
            continue  # "must be one of [0, 1]" is not a list of errors
        inner = _details(value, depth - 1)
        if inner.text and inner.text != value:
            return replace(inner, status=inner.status or outer.status)
    return outer
