"""Around every request: its id, its record, and what is told when the last byte of its answer is gone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from flask import Flask, request

from flask_shim.observability.logs import quoted
from flask_shim.observability.request_context import ABORTED, RequestRecord, current, enter, new_id

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

Watcher = Callable[[RequestRecord], None]
"""Told of every request when it is over."""

LONGEST_SHOWN = 200


def init_app(app: Flask) -> Recorder:
    """Keep a record of every request of ``app``; one line of the log when it is over."""
    recorder = Recorder(app.wsgi_app)
    recorder.watchers.append(log_request)
    app.wsgi_app = recorder  # type: ignore[method-assign]
    app.before_request(_note_route)
    return recorder


def _note_route() -> None:
    if request.url_rule is not None:
        current().route = request.url_rule.rule


class Recorder:
    """The WSGI application, with records.

    It stands outside of Flask because a streamed answer is over long after Flask is done with it.
    """

    def __init__(self, app: WSGIApplication) -> None:
        """Wrap ``app``."""
        self.watchers: list[Watcher] = []
        self.open: set[RequestRecord] = set()
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        record = record_of(environ)
        enter(record)
        self.open.add(record)

        def started(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
            record.status = int(status[:3])
            return start_response(status, [*headers, ("X-Request-ID", record.id)], exc_info)

        try:
            body = self._app(environ, started)
        except BaseException:
            self.finish(record)
            raise
        return RecordedBody(body, record, self)

    def finish(self, record: RequestRecord) -> None:
        """Tell the watchers that the request is over."""
        record.ended()
        self.open.discard(record)
        try:
            for watcher in self.watchers:
                watcher(record)
        finally:
            enter(None)


class RecordedBody:
    """An answer's body, and the end of its record when the server closes it. Iterating costs nothing extra."""

    __slots__ = ("_body", "_record", "_recorder")

    def __init__(self, body: Iterable[bytes], record: RequestRecord, recorder: Recorder) -> None:
        """Take over ``body``."""
        self._body = body
        self._record: RequestRecord | None = record
        self._recorder = recorder

    def __iter__(self) -> Iterator[bytes]:
        """Give the body's own iterator."""
        return iter(self._body)

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
    )


def log_request(record: RequestRecord) -> None:
    """Write the line about a request that is over; what is not known is left out, the query always."""
    is_trouble = bool(record.rejected_by) or record.status >= 500 or record.outcome.startswith(("error", ABORTED))
    level = logging.WARNING if is_trouble else logging.INFO
    if log.isEnabledFor(level):
        log.log(level, "%s", " ".join(f"{key}={quoted(value)}" for key, value in _facts(record) if value is not None))


def _facts(record: RequestRecord) -> Iterator[tuple[str, object]]:
    yield "method", record.method[:LONGEST_SHOWN]
    yield "path", record.path[:LONGEST_SHOWN]
    yield "status", record.status
    yield "ms", _milliseconds(record.seconds)
    yield "client", record.client[:LONGEST_SHOWN] or None
    yield "model", record.model[:LONGEST_SHOWN] or None
    yield "first_token_ms", _milliseconds(record.first_token_seconds)
    yield "tokens_in", record.tokens_in
    yield "tokens_out", record.tokens_out
    yield "tokens_per_s", None if record.tokens_per_second is None else round(record.tokens_per_second, 1)
    yield "outcome", record.outcome
    yield "rejected_by", record.rejected_by or None
    # LM Studio may quote the prompt in its errors, so its words are for those who asked for details.
    error = record.error if log.isEnabledFor(logging.DEBUG) else record.error_safe_text
    yield "error", error[:LONGEST_SHOWN] or None


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
