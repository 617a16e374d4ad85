"""The events of one streamed completion as they arrive. The stream ends complete, or with an exception."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

import orjson

from flask_shim.errors import ShimError
from flask_shim.lmstudio.completion_events import DONE, Event, decode_event
from flask_shim.lmstudio.errors import BackendProtocolError
from flask_shim.lmstudio.http.error_parsing import parse_error_event, parse_error_response
from flask_shim.lmstudio.http.options import ClientOptions
from flask_shim.lmstudio.http.response import CUT, BackendResponse
from flask_shim.lmstudio.http.sse import EventTooLarge, SseSplitter
from flask_shim.lmstudio.http.transport import read_json

END_SECONDS = 0.2
"""How long the end of the body may take after the end mark; backends send it at once."""


class EventStream:
    """Iterates over lists of events: those that one read brought, so that they can be sent on in one write.

    ``head_ns`` is when the response head arrived, on the :func:`time.perf_counter_ns` clock.
    """

    def __init__(self, response: BackendResponse, options: ClientOptions) -> None:
        """Take over ``response`` and wait for its first events; close it and raise any failure before them."""
        self.head_ns = time.perf_counter_ns()
        self._response = response
        self._options = options
        self._is_complete = False
        self._has_end_mark = False
        self._events = self._read()
        try:
            self._first = next(self._events, [])
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; if the answer is not complete, LM Studio stops generating."""
        if self._has_end_mark:
            # LM Studio logs a disconnect if the connection is closed before the end of the body.
            self._response.call.allow(END_SECONDS, "the end of the answer did not come")
            with suppress(ShimError):  # the answer is complete without it
                self._response.read()
        self._response.close()

    def __iter__(self) -> Iterator[list[Event]]:
        """Yield lists of events until the answer is complete; raise if it ends in any other way."""
        if self._first:
            yield self._first
        yield from self._events

    def _read(self) -> Iterator[list[Event]]:
        response, options = self._response, self._options
        if response.status != 200 or response.content_type != "text/event-stream":
            yield [self._read_whole()]
            return
        response.check_encoding()
        splitter = SseSplitter(options.max_line_bytes)
        size = 0
        try:
            for block in response:
                size += len(block)
                if options.max_answer_bytes and size > options.max_answer_bytes:
                    raise BackendProtocolError(f"the answer is too long: more than {options.max_answer_bytes} bytes")
                if payloads := splitter.feed(block):
                    idle = options.idle_timeout
                    response.call.allow(idle, f"LM Studio sent no data for {idle} s")
                    yield from self._decode(payloads)
                    if payloads[-1] == DONE:
                        self._has_end_mark = True
                        return
            yield from self._decode(splitter.flush())
        except EventTooLarge as exc:
            raise BackendProtocolError(f"LM Studio's answer is garbled: {exc}") from exc
        if not self._is_complete:
            raise BackendProtocolError(CUT)

    def _read_whole(self) -> Event:
        """Return an answer that is not a stream as one event; raise the error that it usually is."""
        response, options = self._response, self._options
        if response.status in (204, 205):
            raise BackendProtocolError(f"LM Studio answered with status {response.status} and an empty body")
        if response.status != 200:
            body = response.read_all(options.max_answer_bytes)
            raise parse_error_response(response.status, body, response.headers, token=options.token)
        # Some versions answer a request for a stream with the whole object, and all send some errors with status 200.
        event = decode_event(orjson.dumps(read_json(response, options)))
        if not event.choices:
            raise BackendProtocolError("LM Studio's answer is no completion")
        return event

    def _decode(self, payloads: list[bytes]) -> Iterator[list[Event]]:
        """Yield the events in one list; raise an error among them after those before it were yielded."""
        events: list[Event] = []
        failure: ShimError | None = None
        for payload in payloads:
            if payload == DONE:
                self._is_complete = True
                break
            try:
                event = decode_event(payload)
            except ShimError as exc:
                failure = exc
                break
            if event.error:
                failure = parse_error_event(payload, token=self._options.token)
                break
            if event.choices and event.choices[0].finish_reason:
                self._is_complete = True
            events.append(event)
        if events:
            yield events
        if failure is not None:
            raise failure
