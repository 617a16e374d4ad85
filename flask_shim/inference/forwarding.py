"""Forward requests: the backend's answer byte for byte, with slots, cancellation and true error statuses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson
from flask import Response

from flask_shim.errors import ShimError
from flask_shim.inference.completion import check_prompt_fits, warn_if_cut
from flask_shim.inference.forwarded_stream import Completer, ForwardedAnswer, OpenedAnswer
from flask_shim.inference.last_events import COMPLETION_PATHS, ERROR_EVENT
from flask_shim.inference.streaming import stream_response
from flask_shim.inference.structured_answers import result_or_none, second_attempt, to_engine_payload
from flask_shim.lmstudio import BackendCall, LMStudio
from flask_shim.lmstudio.completion_events import DONE, Choice, Event, Usage, decode_event
from flask_shim.lmstudio.errors import BackendProtocolError, ServerBusy
from flask_shim.lmstudio.http.cancellation import Ticks
from flask_shim.lmstudio.http.error_parsing import parse_error_event, parse_error_response
from flask_shim.lmstudio.http.response import BackendResponse
from flask_shim.lmstudio.http.sse import SseSplitter
from flask_shim.models.backends import Backend
from flask_shim.models.loader import ModelRequirements
from flask_shim.models.slots import BUSY
from flask_shim.models.waking import wake
from flask_shim.observability.request_context import current
from flask_shim.services import services
from flask_shim.translate.answer.encoder import SSE
from flask_shim.translate.ollama.payloads import Payload

_ERROR = re.compile(rb'\s*\{\s*"error"\s*:(?!\s*null\b)')
"""The beginning of an error with status 200."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardRequest:
    """A POST to forward; its path is percent-encoded.

    ``raw`` are the client's bytes, ``body`` the JSON in them, ``payload`` what is sent instead. With ``requirements``,
    the model's name is written into the payload; otherwise ``backend`` answers, None for the first.
    """

    path: str
    payload: Mapping[str, Any] = field(repr=False)
    raw: bytes = field(default=b"", repr=False)
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)
    query: str = ""
    accept: str = "*/*"
    requirements: ModelRequirements | None = None
    backend: Backend | None = None
    completer: Completer | None = None
    """Completes or repairs the answer; without one it is sent byte for byte."""


def forward(request: ForwardRequest) -> Response:
    """Send ``request`` to the backend and answer with its answer as it arrives."""
    manager, is_completion = services().manager, request.path in COMPLETION_PATHS

    def send_to(client: LMStudio, call: BackendCall, payload: Mapping[str, Any]) -> OpenedAnswer:
        body = request.raw if payload == request.body else orjson.dumps(payload)
        return _open(client, call, "POST", _with_query(request.path, request.query), body, request.accept)

    def open_answer(stack: ExitStack, ticks: Ticks | None) -> OpenedAnswer:
        def send(payload: Mapping[str, Any]) -> OpenedAnswer:
            if not is_completion:
                return send_to(use.client, use.call, payload)
            payload = to_engine_payload(dict(payload))
            answer = send_to(use.client, use.call, payload)
            return _with_output(answer, partial(check_prompt_fits, use, payload))

        if request.requirements is None:
            backend = request.backend or manager.backends.first
            current().backend = backend.name
            call = stack.enter_context(manager.admit(ticks))
            wake(manager.backends, (backend,), call)
            return send_to(backend.client, call, request.payload)
        prompt = dict(request.payload) if is_completion else None
        use = manager.use(request.requirements, prompt, ticks)
        stack.callback(use.close)
        stack.callback(warn_if_cut, use, current())
        answer = use.send(send, request.payload)
        if prompt is not None and answer[0].content_type != SSE:
            answer = _with_valid_answer(answer, prompt, partial(use.send, send))
        return answer

    is_stream = request.payload.get("stream") is True
    return stream_response(ForwardedAnswer(request.path, open_answer, is_stream=is_stream, completer=request.completer))


def forward_list(backend: Backend, path: str, *, query: str = "") -> Response:
    """Forward a GET to one LM Studio. It takes no slot, but some threads are kept free."""
    manager, waiters = services().manager, services().list_waiters
    current().backend = backend.name

    def open_answer(stack: ExitStack, ticks: Ticks | None) -> OpenedAnswer:
        call = manager.new_call(ticks)
        if not stack.enter_context(waiters.take()):
            raise ServerBusy(BUSY, retry_after=1)
        stack.enter_context(manager.backends.watchdog.watch(call))
        return _open(backend.client, call, "GET", _with_query(path, query))

    return stream_response(ForwardedAnswer(path, open_answer, is_stream=False))


def _with_valid_answer(opened: OpenedAnswer, payload: Payload, send: Callable[[Payload], OpenedAnswer]) -> OpenedAnswer:
    """Return the second answer if the first does not match the schema of its request, unless that one fails."""
    again = _attempt_after(opened, payload)
    if again is None:
        return opened
    opened[0].close()
    second = result_or_none(partial(send, again))
    if second is None:
        return opened
    _attempt_after(second, again)  # for its line in the log
    return second


def _attempt_after(opened: OpenedAnswer, payload: Payload) -> Payload | None:
    choice = next(iter(_read_event(opened[1]).choices), Choice())
    reason = "tool_calls" if choice.tool_calls else choice.finish_reason
    return second_attempt(payload, choice.text or choice.thinking or "", reason)


def _with_output(opened: OpenedAnswer, check_empty: Callable[[Usage | None], None]) -> OpenedAnswer:
    """Wait until a completion's output begins; ``check_empty`` gets the counts of one without any, and may raise."""
    answer, first = opened
    try:
        if answer.content_type == SSE:
            first, has_output, usage = _read_to_output(answer, first)
        else:
            event = _read_event(first)
            has_output, usage = not event.choices or event.has_output, event.usage
        if not has_output:
            check_empty(usage)
    except BaseException:
        answer.close()
        raise
    return answer, first


def _read_to_output(answer: BackendResponse, first: bytes) -> tuple[bytes, bool, Usage | None]:
    """Read the stream of a completion on from ``first`` until output begins; raise an error that comes instead.

    Return what was read, whether output has begun (False: the answer has none), and the counts in it.
    """
    splitter = SseSplitter(answer.options.max_line_bytes)
    blocks, usage = [first], None
    while blocks[-1]:
        for payload in splitter.feed(blocks[-1]):
            if payload == DONE:
                return b"".join(blocks), False, usage
            event = _read_event(payload)
            if event.error:
                raise parse_error_event(event.error, token=answer.options.token)
            if event.has_output:
                return b"".join(blocks), True, usage
            usage = event.usage or usage
        blocks.append(answer.read())
    return b"".join(blocks), False, usage


def _read_event(data: bytes) -> Event:
    """Return a completion, or an event of one; an event without anything for data of another form."""
    try:
        return decode_event(data)
    except BackendProtocolError:
        return Event()


def _with_query(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path


def _open(
    backend: LMStudio, call: BackendCall, method: str, path: str, body: bytes | None = None, accept: str = "*/*"
) -> OpenedAnswer:
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
        if ERROR_EVENT.match(first):  # the status can still be changed
            raise _read_error_event(answer, first)
    elif _ERROR.match(first):
        raise parse_error_response(answer.status, first, answer.headers, token=token)
    elif answer.content_type == "text/html":
        raise BackendProtocolError("LM Studio's answer is a web page")


def _read_error_event(answer: BackendResponse, first: bytes) -> ShimError:
    """Return the error in the event of which ``first`` has the beginning."""
    splitter = SseSplitter(answer.options.max_line_bytes)
    payloads = splitter.feed(first)
    while not payloads and (block := answer.read()):
        payloads = splitter.feed(block)
    return parse_error_event(b"".join((payloads or splitter.flush())[:1]), token=answer.options.token)
