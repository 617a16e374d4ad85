"""Request ids, request records, and one log line per request when the last byte of its response was sent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from flask import Flask, Request
from werkzeug.http import HTTP_STATUS_CODES

from flask_shim.observability.inspector import Inspector
from flask_shim.observability.logs import quoted
from flask_shim.observability.request_context import ABORTED, RequestRecord, current, enter, new_id, not_disconnected

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

Observer = Callable[[RequestRecord], None]
"""Called with the record of every request that has ended."""

START_RESPONSE = "flask_shim.start_response"
"""Key in the WSGI environment of the server's ``start_response``, for a view that cannot wait until it returns."""

MAX_SHOWN = 200

_STATUS_LINES = {code: f"{code} {phrase}" for code, phrase in HTTP_STATUS_CODES.items()}
"""Werkzeug writes the phrases in capitals, which clients show: "Error 404: NOT FOUND". Go, and so Ollama, does not."""

OPERATOR_PREFIX = "/shim/"
"""Pages and terminals that show the server poll these paths; logging that would fill the log that they show."""

_KEY = "flask_shim.recorder"


def init_app(app: Flask) -> None:
    """Record every request of ``app`` and log it when it has ended."""
    recorder = app.extensions[_KEY] = Recorder(app.wsgi_app)
    recorder.observers.append(log_request)
    app.wsgi_app = recorder  # type: ignore[method-assign]  # Flask's documented way to wrap an app


def note_route(request: Request) -> None:
    """Note the route of a request, if its path has one."""
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
        if self.inspector.is_on and not record.path.startswith(OPERATOR_PREFIX):
            record.exchange = self.inspector.start(record, environ)

        write: Callable[[bytes], object] | None = None

        def begin(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
            nonlocal write
            if write is None:  # otherwise a view has begun the response, and its status stays
                record.status = int(status[:3])
                headers = [*headers, ("X-Request-ID", record.id), *record.answer_headers]
                write = start_response(_STATUS_LINES.get(record.status, status), headers, exc_info)
            return write

        environ[START_RESPONSE] = begin
        try:
            body = self._app(environ, begin)
        except BaseException:
            self.finish(record)
            raise
        return RecordedBody(body, record, self)

    def count_streams(self) -> int:
        """Return the number of streamed answers in progress."""
        return sum(record.is_streamed for record in tuple(self.open))

    def finish(self, record: RequestRecord) -> None:
        """Call the observers with a request that has ended."""
        record.end()
        self.open.discard(record)
        try:
            for observer in self.observers:
                observer(record)
        finally:
            enter(None)
            if (exchange := record.exchange) is not None:
                record.exchange = None  # the inspector limits how long bodies are kept, but not how long records are
                self.inspector.finish(exchange)


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
        return iter(self._body) if exchange is None else exchange.record_blocks(self._body)

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
        path=_decoded(environ.get("PATH_INFO", "")),
        client=environ.get("REMOTE_ADDR") or "",
        user_agent=_decoded(environ.get("HTTP_USER_AGENT", "")),
        # waitress knows (with channel_request_lookahead); under other servers only a failing write shows it.
        is_disconnected=environ.get("waitress.client_disconnected") or not_disconnected,
    )


def _decoded(text: str) -> str:
    """Return a text of the environment, where each character is a byte (PEP 3333)."""
    return text if text.isascii() else text.encode("latin-1", "replace").decode("utf-8", "replace")


def log_request(record: RequestRecord) -> None:
    """Log a request that has ended; unknown values and the query string are left out."""
    outcome = record.outcome
    is_failure = bool(record.rejected_by) or record.status >= 500 or outcome.startswith(("error", ABORTED))
    is_poll = record.method == "GET" and record.path.startswith(OPERATOR_PREFIX) and not record.rejected_by
    level = logging.DEBUG if is_poll else logging.WARNING if is_failure else logging.INFO
    if log.isEnabledFor(level):
        log.log(level, "%s", _line(record, outcome))


def _line(record: RequestRecord, outcome: str) -> str:
    facts = [_text("method", record.method), _text("path", record.path)]
    facts.append(f"status={record.status} ms={_milliseconds(record.seconds)}")
    if record.client:
        facts.append(_text("client", record.client))
    if record.model or record.backend or record.first_token_ns:
        facts += _generation(record)
    facts.append(f"outcome={outcome}")
    facts += [_text(key, text) for key, text in _details(record) if text]
    return " ".join(facts)


def _generation(record: RequestRecord) -> Iterator[str]:
    for key, name in (("model", record.model), ("backend", record.backend)):
        if name:
            yield _text(key, name)
    for key, number in (
        ("queued_ms", _milliseconds(record.queue_seconds)),
        ("first_token_ms", _milliseconds(record.first_token_seconds)),
        ("tokens_in", record.tokens_in),
        ("cached_tokens", record.cached_tokens),
        ("tokens_out", record.tokens_out),
        ("tokens_per_s", None if (speed := record.tokens_per_second) is None else round(speed, 1)),
    ):
        if number is not None:
            yield f"{key}={number}"


def _details(record: RequestRecord) -> tuple[tuple[str, str], ...]:
    rejected_by = ("rejected_by", record.rejected_by)
    if not log.isEnabledFor(logging.DEBUG):
        return rejected_by, ("error", record.error_safe_text)  # errors of LM Studio may quote the prompt
    return (
        rejected_by,
        ("route", record.route),
        ("user_agent", record.user_agent),
        ("options", ",".join(record.options)),
        ("dropped", ",".join(record.dropped)),
        ("error", record.error),
    )


def _text(key: str, text: str) -> str:
    return f"{key}={quoted(text[:MAX_SHOWN])}"


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
