"""The events of a forwarded answer: whole ones, to their proper end, or to an error that clients understand."""

from __future__ import annotations

import re
from collections.abc import Iterator

import orjson

from flask_shim.error_responses import envelope_of
from flask_shim.inference.streaming import ToError
from flask_shim.lmstudio import LMStudio
from flask_shim.lmstudio.completion_events import DONE, Event, Usage, decode_event
from flask_shim.lmstudio.errors import BackendProtocolError, ContextOverflow
from flask_shim.lmstudio.http.error_parsing import parse_error_event
from flask_shim.lmstudio.http.options import ClientOptions
from flask_shim.lmstudio.http.response import CUT, BackendResponse
from flask_shim.lmstudio.http.sse import EventCutter, EventTooLarge, SseSplitter
from flask_shim.observability.request_context import current

ENDED_BY_DONE = ("/v1/chat/completions", "/v1/completions", "/api/v0/chat/completions", "/api/v0/completions")
TAIL_BYTES = 4096
_DONE = b"data: [DONE]\n\n"
_ERROR_EVENT = re.compile(rb'(^|\n)(event: ?error\r?\n|data: ?\{\s*"error"\s*:(?!\s*null\b))')
_FAILURE = re.compile(_ERROR_EVENT.pattern + rb"|(^|\n)event: ?response\.failed\r?\n")
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
_CACHED_TOKENS = re.compile(rb'"(?:cached_tokens|cache_read_input_tokens)"\s*:\s*([0-9]{1,15})')
"""The counts at the end of an answer, for the access log. In a text of the model their quotes would be escaped."""


def read_to_output(answer: BackendResponse, first: bytes, options: ClientOptions) -> tuple[bytes, bool, Usage | None]:
    """Read the stream of a completion on from ``first`` until output begins; raise an error that comes instead.

    Return what was read, whether output has begun (False: the answer has none), and the counts in it.
    """
    splitter = SseSplitter(options.max_line_bytes)
    blocks, usage = [first], None
    while blocks[-1]:
        try:
            for payload in splitter.feed(blocks[-1]):
                if payload == DONE:
                    return b"".join(blocks), False, usage
                event = read_event(payload)
                if event.error:
                    raise parse_error_event(payload, token=options.token)
                if event.has_output:
                    return b"".join(blocks), True, usage
                usage = event.usage or usage
        except EventTooLarge as exc:
            raise BackendProtocolError(f"LM Studio's answer is garbled: {exc}") from exc
        blocks.append(answer.read())
    return b"".join(blocks), False, usage


def read_event(data: bytes) -> Event:
    """Return a completion, or an event of one; an event without anything for data of another form."""
    try:
        return decode_event(data)
    except BackendProtocolError:
        return Event()


def relay_events(backend: LMStudio, answer: BackendResponse, first: bytes, path: str) -> Iterator[bytes]:
    """Yield complete events; raise if the stream is cut or too long."""
    options = backend.options
    timeout_message = f"LM Studio sent no data for {options.idle_timeout} s"
    ends_by_done = path in ENDED_BY_DONE
    last_event = _LAST_EVENTS.get(path, _ANYTHING)
    is_ended = False
    cutter = EventCutter(_LONGEST_EVENT * options.max_line_bytes)
    size = 0
    tail = b""
    block = first
    events_so_far = 0
    if ends_by_done:
        current().count_tokens = lambda: events_so_far  # LM Studio sends an event for each token
    while block:
        answer.call.allow(options.idle_timeout, timeout_message)
        size += len(block)
        if options.max_answer_bytes and size > options.max_answer_bytes:
            raise BackendProtocolError(f"the answer is too long: more than {options.max_answer_bytes} bytes")
        if events := _complete(cutter, block):
            is_ended = is_ended or last_event.search(events) is not None
            events_so_far += events.count(b"data: ")
            yield from _checked(events, options.token)
        tail = (block if len(block) >= TAIL_BYTES else tail + block)[-TAIL_BYTES:]
        if ends_by_done and tail.endswith(_DONE):
            record_tokens(tail)
            return  # the answer is complete, even if the connection breaks now
        block = _next(answer, tail)
    if ends_by_done and not _END.search(tail):
        raise BackendProtocolError(CUT)
    record_tokens(tail)
    rest = cutter.flush()
    if not is_ended and last_event.search(rest) is None:
        raise BackendProtocolError(CUT)
    yield rest


def _checked(events: bytes, token: str | None) -> Iterator[bytes]:
    """Yield the events; raise instead of an event which says in LM Studio's words that the context is full."""
    failure = _FAILURE.search(events) if b"error" in events else None
    if failure is not None:
        payloads = SseSplitter().feed(events[failure.start() :])
        error = parse_error_event(payloads[0] if payloads else b"", token=token)
        if isinstance(error, ContextOverflow):
            if before := events[: failure.start()]:
                yield before + b"\n"
            raise error
    yield events


def record_tokens(tail: bytes) -> None:
    """Note the last counts in the end of an answer, if it has any."""
    found = [pattern.findall(tail) for pattern in (_TOKENS_IN, _TOKENS_OUT, _CACHED_TOKENS)]
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
    envelope = envelope_of(path)
    if path.startswith("/v1/messages"):
        return lambda exc: b"event: error\ndata: " + orjson.dumps(envelope(exc)) + b"\n\n"
    if path.startswith(("/v1/responses", "/api/v1/chat")):
        return lambda exc: b"event: error\ndata: " + orjson.dumps({"type": "error", **envelope(exc)}) + b"\n\n"
    return lambda exc: b"data: " + orjson.dumps(envelope(exc)) + b"\n\n"
