"""The events of a forwarded answer: whole ones, to their proper end, or to an error that clients understand."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import chain

import orjson

from flask_shim.error_responses import envelope_of
from flask_shim.errors import ShimError
from flask_shim.inference.last_events import COMPLETION_PATHS, ERROR, ERROR_EVENT, LAST_EVENTS, line_start, lines_of
from flask_shim.inference.streaming import StreamedAnswer
from flask_shim.lmstudio.client import CHAT
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

    def blocks(self, ticks: Ticks) -> Iterator[bytes]:
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
        _record_tokens(first)
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
        if error.status >= 500:
            # The status has been sent. Without the code, opencode 1.18 ends its session instead of trying again.
            body["error"]["code"] = body["error"]["code"] or "server_error"
        if self._path.startswith(("/v1/responses", "/api/v1/chat")):
            return b"event: error\ndata: " + orjson.dumps({"type": "error", **body}) + b"\n\n"
        return b"data: " + orjson.dumps(body) + b"\n\n"

    def close(self) -> None:
        """Close the connection and release what the answer holds."""
        self._stack.close()


_FAILURE = line_start(ERROR_EVENT.pattern + rb"|event: ?response\.failed\n")
_OUTPUT = line_start(rb"event: ?\S+delta\b")
"""A piece of the answer, on routes whose events have names."""

_DONE = b"data: [DONE]\n\n"
_DONES = (_DONE, b"data: [DONE]\r\n\r\n")
_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"')
_RECENT_BLOCKS = 8
_TAIL_BYTES = 4096
"""The counts of tokens are in the last blocks of an answer, in this many bytes at their end."""

_LONGEST_EVENT = 8
"""A forwarded event may be this many times longer than a chat's: some repeat the whole answer."""


def _relay_events(answer: BackendResponse, first: bytes, path: str) -> Iterator[bytes]:
    """Yield whole events, b"" for a tick; raise if the stream is cut or too long, or if the prompt was too long."""
    options, record = answer.options, current()
    last_event = LAST_EVENTS.get(path, ERROR)
    cutter = EventCutter(_LONGEST_EVENT * options.max_line_bytes)
    events_so_far, has_ended = 0, False
    recent: deque[bytes] = deque(maxlen=_RECENT_BLOCKS)
    if path in COMPLETION_PATHS:
        record.begin_output()  # the start of the output was awaited
        record.count_tokens = lambda: events_so_far  # LM Studio sends an event for each token
    try:
        for block in _read_blocks(answer, first):
            events = cutter.feed(block)
            if not events:
                yield b""
                continue
            events_so_far += events.count(b'data: {"')
            if record.first_token_ns is None and _OUTPUT.search(lines_of(events)):
                record.begin_output()
            recent.append(events)
            if last_event.is_in(events):
                has_ended = True
                yield from _until_overflow(events, options.token)
            else:
                yield events
            if events.endswith(_DONES):
                break
    except BackendProtocolError:
        if not has_ended:  # otherwise the client has the whole answer
            raise
    rest = cutter.flush()
    ending = b"".join((*recent, rest))
    _record_tokens(ending)
    is_complete = has_ended or path not in LAST_EVENTS or last_event.is_in(rest)
    yield rest if is_complete else _with_last_event(rest, answer, path, ending)


def _with_last_event(rest: bytes, answer: BackendResponse, path: str, ending: bytes) -> bytes:
    """Return the rest of a stream that lacks only ``[DONE]``, with it; raise the error for any other.

    Some servers leave it out (ik_llama.cpp#467). Only the end of a chunked body shows that nothing else is missing.
    """
    if path in COMPLETION_PATHS and "Transfer-Encoding" in answer.headers and _FINISHED.search(ending):
        return rest + b"\n\n" + _DONE if rest else _DONE
    if rest.startswith(b'{"error"'):  # llama-swap 2026 relays errors of its server as they are
        raise parse_error_event(rest, token=answer.options.token)
    raise BackendProtocolError(CUT)


def _read_blocks(answer: BackendResponse, first: bytes) -> Iterator[bytes]:
    """Yield ``first`` and what follows, b"" for a tick; raise if it is more than the settings allow, or late."""
    options = answer.options
    timeout_message = f"LM Studio sent no data for {options.idle_timeout} s"
    size = 0
    for block in chain([first], answer):
        if block:
            answer.call.allow(options.idle_timeout, timeout_message)
            size += len(block)
            if options.max_answer_bytes and size > options.max_answer_bytes:
                raise BackendProtocolError(f"the answer is too long: more than {options.max_answer_bytes} bytes")
        yield block or b""


def _until_overflow(events: bytes, token: str | None) -> Iterator[bytes]:
    """Yield the events; raise instead of an event which says in LM Studio's words that the context is full."""
    if failure := _FAILURE.search(lines_of(events)):
        payloads = SseSplitter().feed(events[failure.start() :])
        error = parse_error_event(payloads[0] if payloads else b"", token=token)
        if isinstance(error, ContextOverflow):
            if before := events[: failure.start()]:
                yield before
            raise error
    yield events


_COUNTS = [
    re.compile(rb'"(?:%b)"\s*:\s*([0-9]{1,15})' % names)
    for names in (
        b"prompt_tokens|input_tokens",
        b"completion_tokens|output_tokens|total_output_tokens",
        b"cached_tokens|cache_read_input_tokens",
    )
]
"""The counts of tokens in an answer. In a text of the model their quotes would be escaped."""


def _record_tokens(answer: bytes) -> None:
    """Note the last counts in the end of an answer, if it has any."""
    tail = answer[-_TAIL_BYTES:]
    found = [pattern.findall(tail) for pattern in _COUNTS]
    current().set_usage(*(int(numbers[-1]) if numbers else None for numbers in found))
