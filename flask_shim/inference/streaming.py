"""Send streamed responses: with heartbeats while their backend is silent, and one error line or event if they fail.

Proxies and clients give up a response that is silent for too long (nginx after 60 s), and a backend may need minutes to
load a model or to read a prompt. The status is sent with the first block or the first heartbeat.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, cast

from flask import Response, current_app, request

from flask_shim.errors import ShimError
from flask_shim.lmstudio.errors import ClientDisconnected
from flask_shim.lmstudio.http.cancellation import Ticks
from flask_shim.lmstudio.http.polled_socket import PolledSocket
from flask_shim.observability.access_log import START_RESPONSE
from flask_shim.observability.activity import activity_of
from flask_shim.observability.request_context import current
from flask_shim.services import services

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

UNBUFFERED = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
"""Headers that keep nginx and similar proxies from buffering."""

_LONGEST_TICK = 0.5
"""On Windows, nothing else wakes a thread that waits for the backend when its call is cancelled."""


class StreamedAnswer(ABC):
    """An answer to stream in one protocol. ``media_type`` and ``headers`` are final with the first block."""

    media_type: str
    headers: Mapping[str, str] = {}
    has_heartbeats = True

    @abstractmethod
    def blocks(self, ticks: Ticks) -> Iterator[bytes]:
        """Open the answer and yield its blocks, b"" for a tick and where there is nothing to send yet.

        ``ticks`` are for the backend call.
        """

    def heartbeat(self) -> bytes:
        """Return something that clients of the protocol ignore."""
        return b""

    def progress(self, text: str) -> bytes:  # noqa: ARG002
        """Return ``text`` as thinking, or a heartbeat if the protocol has none."""
        return self.heartbeat()

    @abstractmethod
    def error(self, error: ShimError) -> bytes:
        """Return the one line or event that ends a stream that failed."""

    @abstractmethod
    def close(self) -> None:
        """Release everything; safe to call twice."""


class Heartbeat:
    """Sends the heartbeats of one answer."""

    def __init__(self, answer: StreamedAnswer, seconds: float) -> None:
        """Wait ``seconds`` before the first heartbeat and between two; 0 is never."""
        self.ticks = Ticks(min(_LONGEST_TICK, seconds / 4) if seconds else None, self.tick)
        self.write: Callable[[bytes], object] | None = None
        """WSGI's ``write()`` if the response had to begin before its first block."""
        self._answer = answer
        self._seconds = seconds
        self._due_at = time.monotonic() + seconds

    def tick(self) -> None:
        """Send a heartbeat if it is due, before the response has a body.

        The thread that waits for the backend is deep in the client library then, and cannot yield.
        """
        if not self._seconds or time.monotonic() < self._due_at:
            return
        if self.write is None:
            head = current_app.process_response(_response(self._answer, iter(()), self.ticks))
            current().is_streamed = True
            self.write = request.environ[START_RESPONSE](head.status, head.headers.to_wsgi_list())
        text = activity_of(current_app).progress.describe(current())
        shows_progress = services().config.show_progress
        try:
            self.write(self._answer.progress(f"{text}\n") if shows_progress else self._answer.heartbeat())
        except Exception as exc:  # of another type in each server
            raise ClientDisconnected from exc
        self._due_at = time.monotonic() + self._seconds
        log.info("heartbeat model=%s: %s", current().model, text)

    def first(self, blocks: Iterator[bytes]) -> bytes:
        """Return the first block that is not empty, b"" at the end."""
        for block in blocks:
            if block:
                return block
            self.tick()
        return b""

    def add_to(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the other blocks, and a heartbeat in place of an empty one when it is due."""
        if not self._seconds:
            yield from blocks
            return
        due_at = time.monotonic() + self._seconds
        for block in blocks:
            now = time.monotonic()
            is_due = now >= due_at
            if block or is_due:
                due_at = now + self._seconds
            yield block or (self._answer.heartbeat() if is_due else b"")


class ReadyResponse(Response):
    """A response that is sent as it is: Werkzeug would look for headers to complete, and wrap the body."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Send it; one to HEAD, which has no body, is left to Werkzeug."""
        if environ["REQUEST_METHOD"] == "HEAD":
            return super().__call__(environ, start_response)
        start_response(self.status, self.headers.to_wsgi_list())
        return cast("Iterable[bytes]", self.response)


class StreamBody:
    """The body of a streamed response; closes its answer however it ends.

    The WSGI server calls :meth:`close` even if nothing was read; a generator's ``finally`` would not run then.
    """

    __slots__ = ("_answer", "_blocks", "_ticks")

    def __init__(self, blocks: Iterator[bytes], answer: StreamedAnswer, ticks: Ticks) -> None:
        self._blocks = blocks
        self._answer = answer
        self._ticks = ticks

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._blocks)

    @property
    def polled(self) -> PolledSocket | None:
        """The socket that may be polled for the next block, which is b"" then until it is ready."""
        return self._ticks.polled

    def close(self) -> None:
        """Close the answer; safe to call twice."""
        self._answer.close()


def stream_response(answer: StreamedAnswer) -> Response:
    """Send an answer as it is made. The response owns it; it is closed here if this raises.

    The first block is made before the status is sent, so that a failure up to then is an HTTP status. A failure after
    that, or after a heartbeat, is sent as the last block.
    """
    heartbeat = Heartbeat(answer, services().config.heartbeat if answer.has_heartbeats else 0)
    with ExitStack() as cleanup:
        cleanup.callback(answer.close)
        blocks = answer.blocks(heartbeat.ticks)
        try:
            first = heartbeat.first(blocks)
        except Exception as exc:
            if heartbeat.write is None:
                raise
            first, blocks = b"", _raise(exc)
        finally:
            heartbeat.ticks.callback = None  # the ticks of the other blocks end reads; this also ends a reference cycle
        response = _response(answer, _guard(first, heartbeat.add_to(blocks), answer.error), heartbeat.ticks)
        current().is_streamed = True
        cleanup.pop_all()
    return response


def _response(answer: StreamedAnswer, blocks: Iterator[bytes], ticks: Ticks) -> Response:
    # Flask would add a charset to a mimetype; the streams of Ollama and LM Studio have none.
    headers = {**answer.headers, **UNBUFFERED}
    body = StreamBody(blocks, answer, ticks)
    return ReadyResponse(body, content_type=answer.media_type, headers=headers, direct_passthrough=True)


def _raise(exc: Exception) -> Iterator[bytes]:
    raise exc
    yield b""


def _guard(first: bytes, rest: Iterator[bytes], to_error: Callable[[ShimError], bytes]) -> Iterator[bytes]:
    """Yield the blocks, and the error if there is one and the client is still connected."""
    try:
        if first:
            yield first
        yield from rest
        current().is_complete = True
    except ClientDisconnected as exc:
        current().fail(exc)
    except ShimError as exc:
        current().fail(exc)
        yield to_error(exc)
    except Exception as exc:
        current().fail(exc)
        log.exception("stream failed")
        yield to_error(ShimError("internal error"))
