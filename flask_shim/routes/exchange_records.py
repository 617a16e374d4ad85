"""What a worker answers itself and the others about the exchanges that its inspector keeps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, NamedTuple

import orjson
from flask import current_app

from flask_shim._version import __version__
from flask_shim.observability.access_log import recorder_of
from flask_shim.observability.client_names import client_name
from flask_shim.observability.inspector import BackendRequest, Exchange, Inspector
from flask_shim.services import services
from flask_shim.translate.request_changes import Change, request_changes

FORMAT = 1
"""The version of the form of one exchange, as the page downloads it and ``flask-shim explain`` reads it."""

_SETS_UP = ("/api/v1/models/",)
"""Requests to LM Studio that load and unload; they are shown, but are not what the client's request became."""


class Details(NamedTuple):
    """One exchange, as its worker sends it to another: what is shown of it, and what LM Studio received."""

    report: dict[str, Any]
    at: float
    path: str
    payload: dict[str, Any]
    """Empty if nothing was sent."""
    is_complete: bool
    """Whether nothing had to be left out of the payload."""


def _summary(exchange: Exchange) -> dict[str, Any]:
    record = exchange.record
    is_running = record.ended_ns is None
    return {
        "id": record.id,
        "at": iso_time(exchange.at),
        "client": client_name(record.user_agent) or record.user_agent,
        "method": record.method,
        "path": record.path,
        "model": record.model or None,
        "status": None if is_running else record.status,
        "outcome": None if is_running else record.outcome,
        "seconds": round(record.seconds, 3),
        "changes": len(_changes(exchange)),
    }


def _report(exchange: Exchange) -> dict[str, Any]:
    record = exchange.record
    path = f"{record.path}?{exchange.query}" if exchange.query else record.path
    asked = {"method": record.method, "path": path, "headers": exchange.headers, "body": exchange.body.to_json()}
    backend = []
    for each in exchange.backend:
        headers = {"Content-Type": "application/json"}
        sent = {"method": each.method, "path": each.path, "headers": headers, "body": each.body.to_json()}
        backend.append({"request": sent, "answer": each.answer.to_json() if each.answer else None})
    return {
        "format": FORMAT,
        "flask_shim": __version__,
        **_summary(exchange),
        "error": record.error or None,
        "rejected_by": record.rejected_by or None,
        "first_token_seconds": record.first_token_seconds,
        "tokens_in": record.tokens_in,
        "tokens_out": record.tokens_out,
        "client": {"address": record.client, "user_agent": record.user_agent, "request": asked},
        "answer": exchange.answer.to_json(),
        "backend_url": services().config.backend_url,
        "backend": backend,
        "changes": [change._asdict() for change in _changes(exchange)],
    }


def _translated(exchange: Exchange) -> BackendRequest | None:
    """Return what the client's request became; None if nothing was sent."""
    return next((each for each in reversed(exchange.backend) if not each.path.startswith(_SETS_UP)), None)


def _changes(exchange: Exchange) -> list[Change]:
    sent, received = exchange.body.to_json(), _payload(exchange)
    if not isinstance(sent, dict) or not received:
        return []
    return request_changes(sent, received, exchange.record.dropped, exchange.record.reasons)


def _payload(exchange: Exchange) -> dict[str, Any]:
    sent = _translated(exchange)
    payload = sent.body.to_json() if sent else None
    return payload if isinstance(payload, dict) else {}


def iso_time(seconds: float) -> str:
    """Return a time of :func:`time.time` for JSON."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")


def _inspector() -> Inspector:
    return recorder_of(current_app).inspector


def _answer_exchange(id_: str) -> Details | None:
    exchange = _inspector().find(id_)
    if exchange is None:
        return None
    sent = _translated(exchange)
    path, is_complete = (sent.path, sent.body.is_complete) if sent else ("", True)
    return Details(_report(exchange), exchange.at, path, _payload(exchange), is_complete)


def _answer_earlier_prompt(sender: str) -> tuple[float, str, dict[str, Any]] | None:
    """Return the time, the id and the payload of the last prompt before a time, of a client and for a model."""
    user_agent, model, at = orjson.loads(sender)
    for before in _inspector().exchanges():
        is_same = (before.record.user_agent, before.record.model or None) == (user_agent, model)
        payload = _payload(before) if is_same and before.at < at else {}
        if "messages" in payload:
            return before.at, before.record.id, payload
    return None


def _answer_record(argument: str) -> None:
    limit, seconds = orjson.loads(argument)
    if limit:
        _inspector().switch_on(limit, seconds)
    else:
        _inspector().switch_off()


QUESTIONS: dict[str, Callable[[str], Any]] = {
    "exchanges": lambda _: [_summary(exchange) for exchange in _inspector().exchanges()],
    "exchange": _answer_exchange,
    "earlier prompt": _answer_earlier_prompt,
    "record": _answer_record,
    "recording": lambda _: _inspector().state,
}
"""What one worker answers another about its exchanges, in the context of the application."""
