"""The events of a forwarded answer: whole ones, to their proper end, or to an error that clients understand."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import orjson

from flask_shim.error_responses import envelope_of
from flask_shim.errors import ShimError
from flask_shim.inference.streaming import StreamedAnswer
from flask_shim.lmstudio.client import CHAT
from flask_shim.lmstudio.completion_events import DONE, Event, Usage, decode_event
from flask_shim.lmstudio.errors import BackendProtocolError, ContextOverflow
from flask_shim.lmstudio.http.cancellation import Ticks
from flask_shim.lmstudio.http.error_parsing import parse_error_event
from flask_shim.lmstudio.http.response import CUT, BackendResponse
from flask_shim.lmstudio.http.sse import EventCutter, SseSplitter
from flask_shim.lmstudio.http.surrogates import replace_halves
from flask_shim.observability.client_names import client_name
from flask_shim.observability.request_context import current
from flask_shim.translate.answer.encoder import SSE
from flask_shim.translate.openai.chat_repairs import ChatRepairer
from flask_shim.translate.openai.native_responses import ResponseCompleter

ENDED_BY_DONE = ("/v1/chat/completions", "/v1/completions", "/api/v0/chat/completions", "/api/v0/completions")
_TAIL_BYTES = 4096
_DONE = b"data: [DONE]\n\n"
ERROR_EVENT = re.compile(rb'(^|\n)(event: ?error\r?\n|data: ?\{\s*"error"\s*:(?!\s*null\b))')
_FAILURE = re.compile(ERROR_EVENT.pattern + rb"|(^|\n)event: ?response\.failed\r?\n")
_END = re.compile(rb"(^|\n)data: ?\[DONE\]|" + ERROR_EVENT.pattern)

_LAST_EVENTS = {
    "/v1/responses": re.compile(rb"(^|\n)event: ?(response\.(completed|incomplete|failed)|error)\r?\n"),
    "/v1/messages": re.compile(rb"(^|\n)event: ?(message_stop|error)\r?\n"),
    "/api/v1/chat": re.compile(rb"(^|\n)event: ?(chat\.end|error)\r?\n"),
}
"""The events without which a stream of these routes is not complete."""
_ANYTHING = re.compile(b"")
_OUTPUT = re.compile(rb"(^|\n)event: ?\S+delta\b")
"""A piece of the answer, on these routes."""

_LONGEST_EVENT = 8
"""A forwarded event may be this many times longer than a chat's: some repeat the whole answer."""

_TOKENS_IN = re.compile(rb'"(?:prompt_tokens|input_tokens)"\s*:\s*([0-9]{1,15})')
_TOKENS_OUT = re.compile(rb'"(?:completion_tokens|output_tokens|total_output_tokens)"\s*:\s*([0-9]{1,15})')
_CACHED_TOKENS = re.compile(rb'"(?:cached_tokens|cache_read_input_tokens)"\s*:\s*([0-9]{1,15})')
"""The counts at the end of an answer, for the access log. In a text of the model their quotes would be escaped."""

_FAIL_AT_COMMENTS = ("Mistral Vibe", "ollama")
"""Clients that cannot read the comments of an event stream (mistral-vibe#762, ollama#16443)."""

Completer = ResponseCompleter | ChatRepairer

OpenedAnswer = tuple[BackendResponse, bytes]
"""An answer with its first bytes, or with all of them if it is no event stream."""


class ForwardedAnswer(StreamedAnswer):
    """The backend's answer to one request, byte for byte but split characters, or as its completer completes it."""

    media_type = SSE

    def __init__(
        self,
        path: str,
        open_answer: Callable[[ExitStack, Ticks | None], OpenedAnswer],
        *,
        is_stream: bool,
        completer: Completer | None = None,
    ) -> None:
        """``open_answer`` puts on a stack what must be released; ``is_stream`` says what the client wants."""
        self.has_heartbeats = is_stream and client_name(current().user_agent) not in _FAIL_AT_COMMENTS
        self._path = path
        self._open_answer = open_answer
        self._completer = completer
        self._stack = ExitStack()
        self._has_begun = False

    def blocks(self, ticks: Ticks | None) -> Iterator[bytes]:
        """Yield whole events; an answer that is not a stream is one block."""
        completer = self._completer
        answer, first = self._open_answer(self._stack, ticks)
        self._stack.callback(answer.close)
        if answer.content_type == SSE:
            answer.start_streaming()
            for block in _relay_events(answer, first, self._path):
                yield completer.complete_events(block) if completer is not None and block else block
            return
        if self._has_begun:
            raise BackendProtocolError("LM Studio's answer is not a stream")
        _record_tokens(first[-_TAIL_BYTES:])
        self.media_type = answer.content_type or "application/json"
        if self.media_type == "application/json":
            first = replace_halves(first)
        if completer is not None:
            first = completer.complete_body(first)
        self.headers = {"Content-Length": str(len(first))}
        yield first

    def heartbeat(self) -> bytes:
        """Return a comment."""
        self._has_begun = True
        return b": heartbeat\n\n"

    def progress(self, text: str) -> bytes:
        """Return a chunk of a chat with thinking, a comment on other routes."""
        if self._path != CHAT:
            return self.heartbeat()
        self._has_begun = True
        delta = {"role": "assistant", "content": "", "reasoning_content": text}
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        head = {"id": "chatcmpl-progress", "object": "chat.completion.chunk", "created": int(time.time())}
        return b"data: " + orjson.dumps({**head, "model": current().model, "choices": [choice]}) + b"\n\n"

    def error(self, error: ShimError) -> bytes:
        """Return the error event of the path."""
        body = envelope_of(self._path)(error)
        if self._path.startswith("/v1/messages"):
            return b"event: error\ndata: " + orjson.dumps(body) + b"\n\n"
        if self._path.startswith(("/v1/responses", "/api/v1/chat")):
            return b"event: error\ndata: " + orjson.dumps({"type": "error", **body}) + b"\n\n"
        return b"data: " + orjson.dumps(body) + b"\n\n"

    def close(self) -> None:
        """Close the connection and release what the answer holds."""
        self._stack.close()


def read_to_output(answer: BackendResponse, first: bytes) -> tuple[bytes, bool, Usage | None]:
    """Read the stream of a completion on from ``first`` until output begins; raise an error that comes instead.

    Return what was read, whether output has begun (False: the answer has none), and the counts in it.
    """
    splitter = SseSplitter(answer.options.max_line_bytes)
    blocks, usage = [first], None
    while blocks[-1]:
        for payload in splitter.feed(blocks[-1]):
            if payload == DONE:
                return b"".join(blocks), False, usage
            event = read_event(payload)
            if event.error:
                raise parse_error_event(event.error, token=answer.options.token)
            if event.has_output:
                return b"".join(blocks), True, usage
            usage = event.usage or usage
        blocks.append(answer.read())
    return b"".join(blocks), False, usage


def read_event(data: bytes) -> Event:
    """Return a completion, or an event of one; an event without anything for data of another form."""
    try:
        return decode_event(data)
    except BackendProtocolError:
        return Event()


def _relay_events(answer: BackendResponse, first: bytes, path: str) -> Iterator[bytes]:
    """Yield complete events, b"" for a tick; raise if the stream is cut or too long."""
    options = answer.options
    timeout_message = f"LM Studio sent no data for {options.idle_timeout} s"
    ends_by_done = path in ENDED_BY_DONE
    last_event = _LAST_EVENTS.get(path, _ANYTHING)
    cutter = EventCutter(_LONGEST_EVENT * options.max_line_bytes)
    block: bytes | None = first
    size = events_so_far = 0
    is_ended, tail = False, b""
    record = current()
    if ends_by_done:
        record.begin_output()  # the start of the output was awaited
        record.count_tokens = lambda: events_so_far  # LM Studio sends an event for each token
    while block:
        answer.call.allow(options.idle_timeout, timeout_message)
        size += len(block)
        if options.max_answer_bytes and size > options.max_answer_bytes:
            raise BackendProtocolError(f"the answer is too long: more than {options.max_answer_bytes} bytes")
        if events := cutter.feed(block):
            is_ended = is_ended or last_event.search(events) is not None
            events_so_far += events.count(b'data: {"')
            if record.first_token_ns is None and _OUTPUT.search(events):
                record.begin_output()
            yield from _until_overflow(events, options.token, ends_by_error=ends_by_done)
        else:
            yield b""
        tail = (block if len(block) >= _TAIL_BYTES else tail + block)[-_TAIL_BYTES:]
        if ends_by_done and tail.endswith(_DONE):
            _record_tokens(tail)
            return  # the answer is complete, even if the connection breaks now
        while (block := _read_next(answer, tail)) is None:
            yield b""
    if ends_by_done and not _END.search(tail):
        raise BackendProtocolError(CUT)
    _record_tokens(tail)
    rest = cutter.flush()
    if not is_ended and last_event.search(rest) is None:
        raise BackendProtocolError(CUT)
    yield rest


def _until_overflow(events: bytes, token: str | None, *, ends_by_error: bool) -> Iterator[bytes]:
    """Yield the events; raise instead of an event which says in LM Studio's words that the context is full.

    ``ends_by_error``: only the end can have one. Other streams repeat the whole request after the name of the event.
    """
    start = max(0, len(events) - _TAIL_BYTES) if ends_by_error else 0
    failure = _FAILURE.search(events, start) if events.find(b"error", start) >= 0 else None
    if failure is not None:
        payloads = SseSplitter().feed(events[failure.start() :])
        error = parse_error_event(payloads[0] if payloads else b"", token=token)
        if isinstance(error, ContextOverflow):
            if before := events[: failure.start()]:
                yield before + b"\n"
            raise error
    yield events


def _record_tokens(tail: bytes) -> None:
    """Note the last counts in the end of an answer, if it has any."""
    found = [pattern.findall(tail) for pattern in (_TOKENS_IN, _TOKENS_OUT, _CACHED_TOKENS)]
    current().set_usage(*(int(numbers[-1]) if numbers else None for numbers in found))


def _read_next(answer: BackendResponse, tail: bytes) -> bytes | None:
    """Return the next bytes, None at a tick; a connection that breaks after an error event has ended properly."""
    try:
        return answer.read_or_tick()
    except BackendProtocolError:
        if ERROR_EVENT.search(tail):
            return b""
        raise
