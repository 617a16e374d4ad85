"""Forward requests: the backend's answer byte for byte, with slots, cancellation and true error statuses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import orjson
from flask import Response

from flask_shim.error_responses import anthropic_error, openai_error
from flask_shim.inference.streaming import ToError, stream_response
from flask_shim.lmstudio import BackendCall, LMStudio
from flask_shim.lmstudio.errors import BackendProtocolError, ServerBusy
from flask_shim.lmstudio.http.error_parsing import parse_error_event, parse_error_response
from flask_shim.lmstudio.http.response import CUT, BackendResponse
from flask_shim.lmstudio.http.sse import EventCutter, EventTooLarge, SseSplitter
from flask_shim.lmstudio.http.waiters import BoundedWaiters
from flask_shim.models.loader import ModelRequirements
from flask_shim.models.manager import ModelManager
from flask_shim.models.slots import BUSY
from flask_shim.observability.request_context import current
from flask_shim.translate.answer.encoder import SSE
from flask_shim.translate.openai.chat_repairs import ChatRepairer
from flask_shim.translate.openai.native_responses import ResponseCompleter

_ENDED_BY_DONE = ("/v1/chat/completions", "/v1/completions", "/api/v0/chat/completions", "/api/v0/completions")
_TAIL_BYTES = 4096
_DONE = b"data: [DONE]\n\n"
_ERROR_EVENT = re.compile(rb'(^|\n)(event: ?error\r?\n|data: ?\{\s*"error"\s*:(?!\s*null\b))')
_END = re.compile(rb"(^|\n)data: ?\[DONE\]|" + _ERROR_EVENT.pattern)

_LAST_EVENTS = {
    "/v1/responses": re.compile(rb"(^|\n)event: ?(response\.(completed|incomplete|failed)|error)\r?\n"),
    "/v1/messages": re.compile(rb"(^|\n)event: ?(message_stop|error)\r?\n"),
    "/api/v1/chat": re.compile(rb"(^|\n)event: ?(chat\.end|error)\r?\n"),
}
"""The events without which a stream of these routes is not complete."""
_ANYTHING = re.compile(b"")

_LONGEST_EVENT = 8
"""A forwarded event may be this many times longer than a chat's: some repeat the whole answer."""

_TOKENS_IN = re.compile(rb'"(?:prompt_tokens|input_tokens)"\s*:\s*([0-9]{1,15})')
_TOKENS_OUT = re.compile(rb'"(?:completion_tokens|output_tokens|total_output_tokens)"\s*:\s*([0-9]{1,15})')
"""The counts at the end of an answer, for the access log. In a text of the model their quotes would be escaped."""

_ERROR = re.compile(rb'\s*\{\s*"error"\s*:(?!\s*null\b)')
"""The beginning of an error with status 200."""

_Completer = ResponseCompleter | ChatRepairer


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardRequest:
    """A POST to forward; its path is percent-encoded.

    ``raw`` are the client's bytes, ``body`` the JSON in them, ``payload`` what is sent instead. With ``requirements``,
    the model's name is written into the payload.
    """

    path: str
    payload: Mapping[str, Any] = field(repr=False)
    raw: bytes = field(default=b"", repr=False)
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)
    query: str = ""
    accept: str = "*/*"
    requirements: ModelRequirements | None = None
    completer: _Completer | None = None
    """Completes or repairs the answer; without one it is sent byte for byte."""


def forward(manager: ModelManager, request: ForwardRequest, is_disconnected: Callable[[], bool]) -> Response:
    """Send ``request`` to the backend and answer with its answer as it arrives."""
    backend = manager.backend

    def send(payload: Mapping[str, Any]) -> _Answer:
        body = request.raw if payload == request.body else orjson.dumps(payload)
        return _open(backend, call, "POST", _with_query(request.path, request.query), body, request.accept)

    with ExitStack() as stack:
        if request.requirements is None:
            call = stack.enter_context(manager.admit(is_disconnected))
            answer = send(request.payload)
        else:
            use = stack.enter_context(manager.use(request.requirements, is_disconnected))
            call = use.call
            answer = use.send(send, request.payload)
        return _respond(backend, answer, request.path, stack, request.completer)


def forward_list(
    manager: ModelManager, waiters: BoundedWaiters, path: str, is_disconnected: Callable[[], bool], *, query: str = ""
) -> Response:
    """Forward a GET. It takes no slot, and ``waiters`` keeps some threads free."""
    call = manager.new_call(is_disconnected)
    with ExitStack() as stack:
        if not stack.enter_context(waiters.take()):
            raise ServerBusy(BUSY, retry_after=1)
        stack.enter_context(manager.backend.watchdog.watch(call))
        return _respond(manager.backend, _open(manager.backend, call, "GET", _with_query(path, query)), path, stack)


_Answer = tuple[BackendResponse, bytes]
"""An answer with its first bytes, or with all of them if it is no event stream."""


def _respond(
    backend: LMStudio, opened: _Answer, path: str, stack: ExitStack, completer: _Completer | None = None
) -> Response:
    answer, first = opened
    stack.callback(answer.close)
    current().first_token()
    is_stream = answer.content_type == SSE
    if not is_stream:
        _record_tokens(first[-_TAIL_BYTES:])
    if completer is not None and not is_stream:
        first = completer.complete_body(first)
    blocks = _events(backend, answer, first, path) if is_stream else iter((first,))
    if completer is not None and is_stream:
        blocks = filter(None, map(completer.complete_events, blocks))
    return stream_response(
        blocks,
        stack.pop_all(),
        mimetype=answer.content_type or "application/json",
        to_error=error_event(path),
        headers={} if is_stream else {"Content-Length": str(len(first))},
    )


def _with_query(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path


def _open(
    backend: LMStudio, call: BackendCall, method: str, path: str, body: bytes | None = None, accept: str = "*/*"
) -> _Answer:
    """Send a request; raise the backend's error. Read all of an answer that is not a stream, to notice if it is cut."""
    options = backend.options
    seconds = options.list_timeout if method == "GET" else options.first_byte_timeout
    call.allow(seconds, f"LM Studio did not begin to answer within {seconds} s")
    answer = backend.open(method, path, call, body, {"Accept": accept})
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
        raise BackendProtocolError(f"LM Studio answered with status {answer.status} and an empty body")
    if answer.content_type == SSE:
        if first.startswith((b"event: error", b'data: {"error"')):  # the status can still be changed
            payloads = SseSplitter().feed(first)
            raise parse_error_event(payloads[0] if payloads else b"", token=token)
    elif _ERROR.match(first):
        raise parse_error_response(answer.status, first, answer.headers, token=token)
    elif answer.content_type == "text/html":
        raise BackendProtocolError("LM Studio's answer is a web page")


def _events(backend: LMStudio, answer: BackendResponse, first: bytes, path: str) -> Iterator[bytes]:
    """Yield complete events; raise if the stream is cut or too long."""
    options = backend.options
    timeout_message = f"LM Studio sent no data for {options.idle_timeout} s"
    ends_by_done = path in _ENDED_BY_DONE
    last_event = _LAST_EVENTS.get(path, _ANYTHING)
    is_ended = False
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
            is_ended = is_ended or last_event.search(events) is not None
            yield events
        tail = (block if len(block) >= _TAIL_BYTES else tail + block)[-_TAIL_BYTES:]
        if ends_by_done and tail.endswith(_DONE):
            _record_tokens(tail)
            return  # the answer is complete, even if the connection breaks now
        block = _next(answer, tail)
    if ends_by_done and not _END.search(tail):
        raise BackendProtocolError(CUT)
    _record_tokens(tail)
    rest = cutter.flush()
    if not is_ended and last_event.search(rest) is None:
        raise BackendProtocolError(CUT)
    yield rest


def _record_tokens(tail: bytes) -> None:
    """Note the last counts in the end of an answer, if it has any."""
    found = [pattern.findall(tail) for pattern in (_TOKENS_IN, _TOKENS_OUT)]
    current().counted(*(int(numbers[-1]) if numbers else None for numbers in found))


def _complete(cutter: EventCutter, block: bytes) -> bytes:
    try:
        return cutter.feed(block)
    except EventTooLarge as exc:
        raise BackendProtocolError(f"LM Studio's answer is garbled: {exc}") from exc


def _next(answer: BackendResponse, tail: bytes) -> bytes:
    """Return the next bytes; a connection that breaks after an error event has ended properly."""
    try:
        return answer.read()
    except BackendProtocolError:
        if _ERROR_EVENT.search(tail):
            return b""
        raise


def error_event(path: str) -> ToError:
    """Return the encoder for the error event that ends a broken stream of that path."""
    if path.startswith("/v1/messages"):
        return lambda exc: b"event: error\ndata: " + orjson.dumps(anthropic_error(exc)) + b"\n\n"
    if path.startswith(("/v1/responses", "/api/v1/chat")):
        return lambda exc: b"event: error\ndata: " + orjson.dumps({"type": "error", **openai_error(exc)}) + b"\n\n"
    return lambda exc: b"data: " + orjson.dumps(openai_error(exc)) + b"\n\n"
