"""The backend's response to one request: its body as it arrives, whole as JSON, or as the events of a completion."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import orjson
import requests
import urllib3

from flask_shim.errors import ShimError
from flask_shim.lmstudio.completion_events import DONE, Event, EventDecoder, Usage, decode_event
from flask_shim.lmstudio.errors import BackendProtocolError, BackendTimeout
from flask_shim.lmstudio.http._urllib3 import Response
from flask_shim.lmstudio.http.cancellation import BackendCall
from flask_shim.lmstudio.http.error_parsing import parse_error_event, parse_error_response
from flask_shim.lmstudio.http.http11 import TIMED_OUT, UrllibBody
from flask_shim.lmstudio.http.options import ClientOptions
from flask_shim.lmstudio.http.sse import SseSplitter
from flask_shim.lmstudio.http.surrogates import replace_halves

CUT = "connection lost: LM Studio closed it before its answer was complete"
"""In the middle of a stream no status tells agents to try again: pi 0.73 does so for the first two words."""

LATE = "LM Studio sent nothing for too long"

END_SECONDS = 0.2
"""How long the end of the body may take after the end mark; backends send it at once."""


class BackendResponse:
    """An open response. The caller must close it; closing it early makes the backend stop generating."""

    __slots__ = ("_body", "_read", "_release", "call", "headers", "options", "status")

    def __init__(
        self, response: requests.Response, call: BackendCall, options: ClientOptions, release: Callable[[], None]
    ) -> None:
        """Take over ``response``, requested with ``stream=True``; ``release`` is called once, when it is closed."""
        self.status, self.headers = response.status_code, response.headers
        self.call, self.options = call, options
        self._body = response.raw if isinstance(response.raw, Response) else UrllibBody(response.raw)
        self._body.read_size = options.chunk_size
        read = self._body.read
        self._read = read if call.trace is None else call.trace.add_answer(self.status, read, options.token)
        self._release: Callable[[], None] | None = release

    @property
    def content_type(self) -> str:
        """The media type, lower case and without parameters."""
        return (self.headers.get("Content-Type") or "").partition(";")[0].strip().lower()

    def check_encoding(self) -> None:
        """Raise BackendProtocolError if the body is compressed: the request forbade that."""
        encoding = self.headers.get("Content-Encoding", "identity").lower()[:20]
        if encoding not in ("", "identity"):
            raise BackendProtocolError(f"LM Studio's answer is encoded with {encoding} though nothing was asked for")

    def start_streaming(self) -> None:
        """Let the ticks of the call end :meth:`read_or_tick` from now on, instead of calling back."""
        if self.call.ticks is not None:
            self.call.ticks.callback = None
            self.call.ticks.polled = self._body.to_poll()

    def read(self) -> bytes:
        """Return the bytes that have arrived, after waiting for at least one; b"" at the end."""
        return self.read_or_tick() or b""

    def read_or_tick(self) -> bytes | None:
        """Return what :meth:`read` does, None for a tick; raise BackendProtocolError if the body is cut."""
        block: bytes | None = None
        while block is None:
            try:
                block = self._read()
            except (OSError, ValueError, urllib3.exceptions.HTTPError) as exc:
                if self.call.failure is not None:
                    raise self.call.failure from exc
                if self.call.ticks is None or not isinstance(exc, TIMED_OUT):
                    is_late = isinstance(exc, TimeoutError | urllib3.exceptions.TimeoutError)
                    raise (BackendTimeout(LATE) if is_late else BackendProtocolError(CUT)) from exc
                if not self.call.tick():
                    return None
        if not block and self.call.failure is not None:
            raise self.call.failure  # a socket that was shut down reads like a clean end
        return block

    def __iter__(self) -> Iterator[bytes | None]:
        """Iterate over the blocks as they arrive, with None for each tick."""
        return iter(self.read_or_tick, b"")

    def read_all(self, limit: int) -> bytes:
        """Return the whole body; raise BackendProtocolError if it has more than ``limit`` bytes (0: no limit)."""
        blocks: list[bytes] = []
        size = 0
        for block in filter(None, self):
            size += len(block)
            if limit and size > limit:
                raise BackendProtocolError(f"LM Studio's answer is longer than {limit} bytes")
            blocks.append(block)
        return b"".join(blocks)

    def close(self) -> None:
        """Release the connection; safe to call twice and from any thread that does not read.

        It is kept for the next request if the whole body was read, otherwise closed.
        """
        self.call.detach()
        self._body.close()
        release, self._release = self._release, None
        if release is not None:
            release()

    def __enter__(self) -> BackendResponse:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_json(response: BackendResponse, options: ClientOptions) -> Any:
    """Return the decoded body; raise the error if it is one, BackendProtocolError if it is not JSON."""
    response.check_encoding()
    body = response.read_all(options.max_answer_bytes)
    if response.status >= 300:
        raise parse_error_response(response.status, body, response.headers, token=options.token)
    if response.status != 200 and not body:
        raise BackendProtocolError(f"LM Studio answered with status {response.status} and an empty body")
    try:
        value = orjson.loads(replace_halves(body))
    except orjson.JSONDecodeError as exc:
        raise BackendProtocolError("LM Studio's answer is not JSON") from exc
    if isinstance(value, dict) and value.get("error"):  # LM Studio answers 200 to unknown paths
        raise parse_error_response(response.status, body, response.headers, token=options.token)
    return value


class EventStream:
    """Iterates over lists of events: those that one read brought, so that they can be sent on in one write.

    The list of a tick is empty. With ``joins_texts``, the tokens of one read are one event. ``head_ns`` is when the
    response head arrived, by :func:`time.perf_counter_ns`.
    ``has_output`` is False for an answer that ended without text, thinking and tool calls; ``usage`` has its counts.
    """

    def __init__(self, response: BackendResponse, options: ClientOptions, *, joins_texts: bool) -> None:
        """Take over ``response`` and wait for its first output; close it and raise any failure before that."""
        self.head_ns = time.perf_counter_ns()
        self._response = response
        self._options = options
        self._splitter = SseSplitter(options.max_line_bytes)
        self._decoder = EventDecoder(joins_texts=joins_texts)
        self._is_complete = self._has_end_mark = False
        self._events = self._read()
        self._first: list[Event] = []
        self.has_output = False
        try:
            while not self.has_output and (events := next(self._events, None)) is not None:
                self._first += events
                self.has_output = any(event.has_output for event in events)
        except BaseException:
            self.close()
            raise

    @property
    def usage(self) -> Usage | None:
        """The counts that came before the first output."""
        return next((event.usage for event in self._first if event.usage), None)

    def close(self) -> None:
        """Close the connection; if the answer is not complete, LM Studio stops generating."""
        if self._has_end_mark:
            # LM Studio logs a disconnect if the connection is closed before the end of the body.
            self._response.call.allow(END_SECONDS, "")
            with suppress(ShimError):  # the answer is complete without it
                self._response.read()
            self._response.call.allow(None, "")
        self._response.close()

    def __iter__(self) -> Iterator[list[Event]]:
        """Yield lists of events until the answer is complete; raise if it ends in any other way."""
        self._response.start_streaming()
        if self._first:
            yield self._first
        yield from self._events

    def _read(self) -> Iterator[list[Event]]:
        response, options = self._response, self._options
        response.check_encoding()
        if response.status >= 300 or response.content_type != "text/event-stream":
            yield [self._read_whole()]
            return
        idle, timeout_message = options.idle_timeout, f"LM Studio sent no data for {options.idle_timeout} s"
        size, most_bytes = 0, options.max_answer_bytes or sys.maxsize
        block: bytes | None = None
        while block != b"" and not self._has_end_mark:
            block = response.read_or_tick()
            if block is None:
                yield []
                continue
            size += len(block)
            if size > most_bytes:
                raise BackendProtocolError(f"the answer is too long: more than {most_bytes} bytes")
            events, failure = self._decode(block)
            if events:
                response.call.allow(idle, timeout_message)
                yield events
            if failure is not None:
                raise failure
        if not self._is_complete:
            raise BackendProtocolError(CUT)

    def _read_whole(self) -> Event:
        """Return an answer that is not a stream as one event; raise the error that it usually is."""
        # Some versions answer a request for a stream with the whole object, and all send some errors with status 200.
        event = decode_event(orjson.dumps(read_json(self._response, self._options)))
        if not event.choices:
            raise BackendProtocolError("LM Studio's answer is no completion")
        return event

    def _decode(self, block: bytes) -> tuple[list[Event], ShimError | None]:
        """Return the events that end in ``block`` up to the first error, and that error."""
        if self._splitter.is_between_events and (token := self._decoder.decode_block(block)) is not None:
            return [token], None  # as nearly always
        payloads = self._splitter.feed(block) if block else self._splitter.flush()
        if DONE in payloads:
            self._is_complete = self._has_end_mark = True
            payloads = payloads[: payloads.index(DONE)]
        events: list[Event] = []
        try:
            for event in self._decoder.decode(payloads):
                if event.error:
                    raise parse_error_event(event.error, token=self._options.token)
                events.append(event)
        except ShimError as exc:
            return events, exc
        self._is_complete |= any(event.choices and event.choices[0].finish_reason for event in events)
        return events, None
