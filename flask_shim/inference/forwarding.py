"""Answers passed on byte for byte as they arrive, with the shim's manners around them: slots, hang-ups, true errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import orjson
from flask import Response

from flask_shim.error_responses import anthropic_error, openai_error
from flask_shim.errors import BackendProtocolError, NoModelLoaded, ServerBusy
from flask_shim.inference.model_use import ModelRequirements, load_after, use_model
from flask_shim.inference.streaming import SSE, stream_response
from flask_shim.lmstudio import BackendCall
from flask_shim.lmstudio.http.error_parsing import (
    error_from_text,
    error_text,
    parse_error_response,
    redact_token,
)
from flask_shim.lmstudio.http.response import CUT, BackendResponse
from flask_shim.lmstudio.http.sse import EventCutter, EventTooLarge, SseSplitter
from flask_shim.models.slots import BUSY
from flask_shim.observability.request_context import current
from flask_shim.services import Services

_ENDED_BY_DONE = ("/v1/chat/completions", "/v1/completions", "/api/v0/chat/completions", "/api/v0/completions")
_TAIL_BYTES = 512
_DONE = b"data: [DONE]\n\n"
_SAID_ERROR = re.compile(rb'(^|\n)(event: ?error\r?\n|data: ?\{\s*"error"\s*:(?!\s*null\b))')
_END = re.compile(rb"(^|\n)data: ?\[DONE\]|" + _SAID_ERROR.pattern)

_LONGEST_EVENT = 8
"""How many times as long as a chat's an event may be that is passed on: some hold the whole answer once more."""

_ERROR = re.compile(rb'\s*\{\s*"error"\s*:(?!\s*null\b)')
"""How an error with status 200 begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardRequest:
    """One request to pass on, with its path percent-encoded. ``need`` is there when it uses a model."""

    method: str
    path: str
    query: str = ""
    body: bytes | None = field(default=None, repr=False)
    accept: str = "*/*"
    requirements: ModelRequirements | None = None


def forward(services: Services, request: ForwardRequest, is_disconnected: Callable[[], bool]) -> Response:
    """Send ``request`` to the backend and answer with what it answers, as it comes."""
    call = services.call(is_disconnected)
    with ExitStack() as stack:
        if request.method != "GET":
            stack.callback(services.slots.take().release)
        elif not stack.enter_context(services.relays.take()):  # lists take no slot, but must leave threads to others
            raise ServerBusy(BUSY, retry_after=1)
        if request.requirements is not None:
            current().uses(request.requirements.target.model.key)
        stack.enter_context(services.backend.watchdog.watch(call))
        if request.requirements is None:
            answer, first = _ask(services, request, call)
        else:
            with use_model(services, request.requirements, call, stack):
                answer, first = _ask_curing(services, request, call)
        stack.callback(answer.close)
        current().first_token()
        return stream_response(
            _events(services, answer, first, request.path) if answer.content_type == SSE else iter((first,)),
            stack.pop_all(),
            mimetype=answer.content_type or "application/json",
            to_error=error_event(request.path),
            headers={} if answer.content_type == SSE else {"Content-Length": str(len(first))},
        )


def _ask_curing(services: Services, request: ForwardRequest, call: BackendCall) -> tuple[BackendResponse, bytes]:
    try:
        return _ask(services, request, call)
    except NoModelLoaded as exc:
        if request.requirements is None:
            raise
        load_after(exc, services, request.requirements, call)
        return _ask(services, request, call)


def _ask(services: Services, request: ForwardRequest, call: BackendCall) -> tuple[BackendResponse, bytes]:
    """Return the answer with its first bytes, or with all of them if it is no stream; raise what it refuses with.

    What is no stream comes in one go, so there is nothing to gain by passing on a part that may turn out to be cut.
    """
    options = services.backend.options
    seconds = options.list_timeout if request.method == "GET" else options.first_byte_timeout
    call.allow(seconds, f"LM Studio did not begin to answer within {seconds} s")
    path = f"{request.path}?{request.query}" if request.query else request.path
    answer = services.backend.open(request.method, path, call, request.body, {"Accept": request.accept})
    try:
        answer.check_encoding()
        is_stream = answer.content_type == SSE and answer.status < 300
        first = answer.read() if is_stream else answer.read_all(options.max_answer_bytes)
        _check(answer, first, options.token)
    except BaseException:
        answer.close()
        raise
    return answer, first


def _check(answer: BackendResponse, first: bytes, token: str | None) -> None:
    if answer.status >= 300:
        raise parse_error_response(answer.status, first, answer.headers, token=token)
    if answer.status != 200 and not first:
        raise BackendProtocolError(f"LM Studio answered with status {answer.status} and nothing else")
    if answer.content_type == SSE:
        _check_first_event(redact_token(token, first))
    elif _ERROR.match(first):
        raise parse_error_response(answer.status, first, answer.headers, token=token)
    elif answer.content_type == "text/html":
        raise BackendProtocolError("LM Studio's answer is a web page")


def _check_first_event(first: bytes) -> None:
    """Raise an error that comes before anything else: there is still time for a true status."""
    if first.startswith((b"event: error", b'data: {"error"')):
        payloads = SseSplitter().feed(first)
        text = error_text(payloads[0]) if payloads else ""
        raise error_from_text(text or "LM Studio reported an error", 500)


def _events(services: Services, answer: BackendResponse, first: bytes, path: str) -> Iterator[bytes]:
    """Yield whole events; raise if they break off, or are too many."""
    options = services.backend.options
    timeout_message = f"LM Studio sent no data for {options.idle_timeout} s"
    ends_by_done = path in _ENDED_BY_DONE
    cutter = EventCutter(_LONGEST_EVENT * options.max_line_bytes)
    size = 0
    tail = b""
    block = first
    while block:
        answer.call.allow(options.idle_timeout, timeout_message)
        size += len(block)
        if options.max_answer_bytes and size > options.max_answer_bytes:
            raise BackendProtocolError(f"the answer is too long: more than {options.max_answer_bytes} bytes")
        if events := _complete(cutter, block):
            yield events
        tail = (block if len(block) >= _TAIL_BYTES else tail + block)[-_TAIL_BYTES:]
        if ends_by_done and tail.endswith(_DONE):
            return  # whatever becomes of the connection
        block = _next(answer, tail)
    if ends_by_done and not _END.search(tail):
        raise BackendProtocolError(CUT)
    yield cutter.flush()


def _complete(cutter: EventCutter, block: bytes) -> bytes:
    try:
        return cutter.feed(block)
    except EventTooLarge as exc:
        raise BackendProtocolError(f"LM Studio's answer is garbled: {exc}") from exc


def _next(answer: BackendResponse, tail: bytes) -> bytes:
    """Return the next bytes; a connection that breaks behind an error has said why already."""
    try:
        return answer.read()
    except BackendProtocolError:
        if _SAID_ERROR.search(tail):
            return b""
        raise


def error_event(path: str) -> Callable[[str], bytes]:
    """Return how a stream of that path says that it broke."""
    if path.startswith("/v1/messages"):
        return lambda text: b"event: error\ndata: " + orjson.dumps(anthropic_error(text)) + b"\n\n"
    if path.startswith(("/v1/responses", "/api/v1/chat")):
        return lambda text: b"event: error\ndata: " + orjson.dumps({"type": "error", **openai_error(text)}) + b"\n\n"
    return lambda text: b"data: " + orjson.dumps(openai_error(text)) + b"\n\n"
