"""Request ids, request records, and one log line per request when the last byte of its response was sent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from flask import Flask, request

from flask_shim.observability.inspector import Inspector
from flask_shim.observability.logs import quoted
from flask_shim.observability.request_context import ABORTED, RequestRecord, current, enter, new_id

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

Observer = Callable[[RequestRecord], None]
"""Called with the record of every request that has ended."""

START_RESPONSE = "flask_shim.start_response"
"""Key in the WSGI environment of the server's ``start_response``, for a view that cannot wait until it returns."""

MAX_SHOWN = 200

OPERATOR_PREFIX = "/shim/"
"""Pages and terminals that show the server poll these paths; logging that would fill the log that they show."""

_KEY = "flask_shim.recorder"


def init_app(app: Flask) -> None:
    """Record every request of ``app`` and log it when it has ended."""
    recorder = app.extensions[_KEY] = Recorder(app.wsgi_app)
    recorder.observers.append(log_request)
    app.wsgi_app = recorder  # type: ignore[method-assign]  # Flask's documented way to wrap an app

    @app.before_request
    def note_route() -> None:
        if request.url_rule is not None:
            current().route = request.url_rule.rule


def recorder_of(app: Flask) -> Recorder:
    """Return the recorder of an application."""
    recorder: Recorder = app.extensions[_KEY]
    return recorder


class Recorder:
    """WSGI middleware that records requests; Flask's own hooks run before a streamed response has ended."""

    def __init__(self, app: WSGIApplication) -> None:
        """Wrap ``app``."""
        self.observers: list[Observer] = []
        self.open: set[RequestRecord] = set()
        self.inspector = Inspector()
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Run the application with a new record."""
        record = record_of(environ)
        enter(record)
        self.open.add(record)
        if self.inspector.limit and not record.path.startswith("/shim/"):
            record.exchange = self.inspector.start(record, environ)

        write: Callable[[bytes], object] | None = None

        def started(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
            nonlocal write
            if write is None:  # otherwise a view has begun the response, and its status stays
                record.status = int(status[:3])
                write = start_response(status, [*headers, ("X-Request-ID", record.id)], exc_info)
            return write

        environ[START_RESPONSE] = started
        try:
            body = self._app(environ, started)
        except BaseException:
            self.finish(record)
            raise
        return RecordedBody(body, record, self)

    def inspect_with(self, inspector: Inspector) -> None:
        """Give ``inspector`` the requests from now on."""
        self.inspector = inspector
        self.observers.append(inspector.finish)

    def count_streams(self) -> int:
        """Return the number of streamed answers in progress."""
        return sum(record.is_streamed for record in tuple(self.open))

    def finish(self, record: RequestRecord) -> None:
        """Call the observers with a request that has ended."""
        record.ended()
        self.open.discard(record)
        try:
            for observer in self.observers:
                observer(record)
        finally:
            enter(None)


class RecordedBody:
    """A response body that finishes its record when the server closes it. Iterating adds no overhead."""

    __slots__ = ("_body", "_record", "_recorder")

    def __init__(self, body: Iterable[bytes], record: RequestRecord, recorder: Recorder) -> None:
        """Wrap ``body``."""
        self._body = body
        self._record: RequestRecord | None = record
        self._recorder = recorder

    def __iter__(self) -> Iterator[bytes]:
        """Return the iterator of the wrapped body."""
        exchange = self._record.exchange if self._record is not None else None
        return iter(self._body) if exchange is None else exchange.noted(self._body)

    def close(self) -> None:
        """Close the body, then the record; safe to call twice."""
        record, self._record = self._record, None
        if record is None:
            return
        try:
            if callable(close := getattr(self._body, "close", None)):
                close()
        finally:
            self._recorder.finish(record)


def record_of(environ: WSGIEnvironment) -> RequestRecord:
    """Return a new record for a request."""
    return RequestRecord(
        id=new_id(environ.get("HTTP_X_REQUEST_ID", "")),
        method=environ.get("REQUEST_METHOD", ""),
        path=environ.get("PATH_INFO", "").encode("latin-1", "replace").decode("utf-8", "replace"),
        client=environ.get("REMOTE_ADDR") or "",
        user_agent=environ.get("HTTP_USER_AGENT", ""),
    )


def log_request(record: RequestRecord) -> None:
    """Log a request that has ended; unknown values and the query string are left out."""
    is_failure = bool(record.rejected_by) or record.status >= 500 or record.outcome.startswith(("error", ABORTED))
    is_poll = record.method == "GET" and record.path.startswith(OPERATOR_PREFIX)
    level = logging.WARNING if is_failure else logging.DEBUG if is_poll else logging.INFO
    if log.isEnabledFor(level):
        log.log(level, "%s", " ".join(f"{key}={quoted(value)}" for key, value in _facts(record) if value is not None))


def _facts(record: RequestRecord) -> Iterator[tuple[str, object]]:
    yield "method", record.method[:MAX_SHOWN]
    yield "path", record.path[:MAX_SHOWN]
    yield "status", record.status
    yield "ms", _milliseconds(record.seconds)
    yield "client", record.client[:MAX_SHOWN] or None
    yield "model", record.model[:MAX_SHOWN] or None
    yield "backend", record.backend or None
    yield "queued_ms", _milliseconds(record.queue_seconds)
    yield "first_token_ms", _milliseconds(record.first_token_seconds)
    yield "tokens_in", record.tokens_in
    yield "cached_tokens", record.cached_tokens
    yield "tokens_out", record.tokens_out
    yield "tokens_per_s", None if record.tokens_per_second is None else round(record.tokens_per_second, 1)
    yield "outcome", record.outcome
    yield "rejected_by", record.rejected_by or None
    is_debug = log.isEnabledFor(logging.DEBUG)
    if is_debug:
        yield "route", record.route or None
        yield "user_agent", record.user_agent[:MAX_SHOWN] or None
        yield "options", ",".join(record.options)[:MAX_SHOWN] or None
        yield "dropped", ",".join(record.dropped)[:MAX_SHOWN] or None
    # Errors of LM Studio may quote the prompt.
    yield "error", (record.error if is_debug else record.error_safe_text)[:MAX_SHOWN] or None


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
