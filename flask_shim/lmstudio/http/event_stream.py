"""The events of one streamed completion, as they arrive, with exactly one way to end: complete, or an exception."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

import orjson

from flask_shim.errors import ShimError
from flask_shim.lmstudio.completion_events import DONE, Event, decode_event
from flask_shim.lmstudio.errors import BackendProtocolError
from flask_shim.lmstudio.http.error_parsing import (
    parse_error_event,
    parse_error_response,
)
from flask_shim.lmstudio.http.options import ClientOptions
from flask_shim.lmstudio.http.response import CUT, BackendResponse
from flask_shim.lmstudio.http.sse import EventTooLarge, SseSplitter
from flask_shim.lmstudio.http.transport import read_json

END_SECONDS = 0.2
"""How long a complete answer may take to end; backends send the end right after the end mark."""


class EventStream:
    """Owns an answer; iterating gives the events of each read together, so that they can leave in one write.

    ``head_ns`` is when the answer's head was there, on the :func:`time.perf_counter_ns` clock.
    """

    def __init__(self, answer: BackendResponse, options: ClientOptions) -> None:
        """Take over ``answer``; raise what it refuses with (and close it) if it is not the stream asked for."""
        self.head_ns = time.perf_counter_ns()
        self._answer = answer
        self._link = options
        self._finished = False
        self._is_done = False
        self._whole: list[Event] = []
        self._first: list[Event] = []
        self._events = self._read()
        try:
            self._check()
        except BaseException:
            answer.close()
            raise

    def close(self) -> None:
        """Give the connection up, which stops the generation if it still runs."""
        if self._is_done:
            self._await_end()
        self._answer.close()

    def prime(self) -> None:
        """Wait for the first events, so that a failure before them is raised here and not while iterating."""
        self._first = next(self._events, [])

    def __iter__(self) -> Iterator[list[Event]]:
        """Yield lists of events until the answer is complete; raise if it ends in any other way."""
        if self._first:
            yield self._first
        yield from self._events

    def _read(self) -> Iterator[list[Event]]:
        if self._whole:
            yield self._whole
            return
        splitter = SseSplitter(self._link.max_line_bytes)
        size = 0
        try:
            for block in self._answer:
                size += len(block)
                if self._link.max_answer_bytes and size > self._link.max_answer_bytes:
                    raise BackendProtocolError(f"the answer is too long: more than {self._link.max_answer_bytes} bytes")
                if payloads := splitter.feed(block):
                    self._alive()
                    yield from self._decode(payloads)
                    if payloads[-1] == DONE:
                        self._is_done = True
                        return
            yield from self._decode(splitter.flush())
        except EventTooLarge as exc:
            raise BackendProtocolError(f"LM Studio's answer is garbled: {exc}") from exc
        if not self._finished:
            raise BackendProtocolError(CUT)

    def _await_end(self) -> None:
        """Read the end of the body: the backend takes a connection that is closed before it for a hang-up."""
        self._answer.call.allow(END_SECONDS, "the end of the answer did not come")
        with suppress(ShimError):  # the answer is complete without it
            self._answer.read()

    def _check(self) -> None:
        answer = self._answer
        if answer.status == 200 and answer.content_type == "text/event-stream":
            answer.check_encoding()
            return
        if answer.status in (204, 205):
            raise BackendProtocolError(f"LM Studio answered with status {answer.status} and an empty body")
        if answer.status != 200:
            body = answer.read_all(self._link.max_answer_bytes)
            raise parse_error_response(answer.status, body, answer.headers, token=self._link.token)
        # Some builds answer a request for a stream with the whole object, and all of them an error with status 200.
        value = read_json(answer, self._link)
        event = decode_event(orjson.dumps(value))
        if not event.choices:
            raise BackendProtocolError("LM Studio's answer is no completion")
        self._whole = [event]

    def _alive(self) -> None:
        idle = self._link.idle_timeout
        self._answer.call.allow(idle, f"LM Studio sent no data for {idle} s")

    def _decode(self, payloads: list[bytes]) -> Iterator[list[Event]]:
        """Yield the events in one list; an error among them is raised after those before it were yielded."""
        events: list[Event] = []
        failure: ShimError | None = None
        for payload in payloads:
            if payload == DONE:
                self._finished = True
                break
            try:
                event = decode_event(payload)
            except ShimError as exc:
                failure = exc
                break
            if event.error:
                failure = parse_error_event(payload, token=self._link.token)
                break
            if event.choices and event.choices[0].finish_reason:
                self._finished = True
            events.append(event)
        if events:
            yield events
        if failure is not None:
            raise failure
