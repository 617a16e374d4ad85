"""The inspector's exchanges: both sides of a request, what was changed between them and why; replay one."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from flask import Blueprint, Response, current_app, request

from flask_shim._version import __version__
from flask_shim.error_responses import json_response
from flask_shim.errors import BadRequest, Forbidden
from flask_shim.inference.forwarding import ForwardRequest, forward
from flask_shim.inference.streaming import disconnect_check
from flask_shim.lmstudio.errors import ModelNotFound
from flask_shim.middleware.operator_access import is_from_this_machine
from flask_shim.middleware.web_pages import revalidated
from flask_shim.observability.access_log import recorder_of
from flask_shim.observability.client_names import client_name
from flask_shim.observability.inspector import BackendRequest, Exchange, Inspector
from flask_shim.routes.model_requests import default_requirements
from flask_shim.schemas.service_schemas import RecordingSchema, read
from flask_shim.services import services
from flask_shim.translate.request_changes import prefix_break, request_changes

bp = Blueprint("exchanges", __name__)

_RECORDING = RecordingSchema()

FORMAT = 1
"""The version of the form of one exchange, as the page downloads it and ``flask-shim explain`` reads it."""

_SETS_UP = ("/api/v1/models/",)
"""Requests to LM Studio that load and unload; they are shown, but are not what the client's request became."""


@bp.get("/shim/exchanges")
def list_exchanges() -> Response:
    """List the exchanges that the inspector keeps, the newest first."""
    inspector = _inspector()
    until = None if inspector.until is None or not inspector.limit else _time(inspector.until)
    recording = {"limit": inspector.limit, "until": until}
    listed = [_summary(exchange) for exchange in inspector.exchanges()]
    return revalidated(json_response({"recording": recording, "exchanges": listed}), "no-cache")


@bp.post("/shim/exchanges")
def start_recording() -> Response:
    """Keep the last requests for a while."""
    wanted = read(_RECORDING, request.get_data(cache=False))
    _inspector().switch_on(wanted["limit"], 60 * wanted["minutes"])
    return json_response({})


@bp.delete("/shim/exchanges")
def stop_recording() -> Response:
    """Keep no more requests, and forget those kept."""
    _inspector().switch_off()
    return json_response({})


@bp.get("/shim/exchanges/<exchange>")
def show_exchange(exchange: str) -> Response:
    """Show both sides of one exchange."""
    return revalidated(json_response(_report(_find(exchange))), "no-cache")


@bp.post("/shim/exchanges/<exchange>/replay")
def replay_exchange(exchange: str) -> Response:
    """Send what LM Studio received again, and return its answer as it is."""
    sent = _translated(_find(exchange))
    payload = sent.body.shown() if sent else None
    if sent is None or not isinstance(payload, dict):
        raise BadRequest("nothing was sent to LM Studio for this request, so it cannot be replayed")
    if not sent.body.is_complete:
        raise BadRequest("pictures or keys are left out of this request, so it cannot be replayed")
    target = services().registry.find(str(payload.get("model")))
    if target is None:
        raise ModelNotFound(f"LM Studio no longer has the model {payload.get('model')}")
    again = ForwardRequest(path=sent.path, payload=payload, requirements=default_requirements(target))
    return forward(services().manager, again, disconnect_check(request.environ))


def _inspector() -> Inspector:
    """Return the inspector, for those who may see prompts."""
    if not services().config.api_keys and not is_from_this_machine(request.environ):
        raise Forbidden("the inspector shows prompts: open it on this machine, or set SHIM_API_KEY")
    return recorder_of(current_app).inspector


def _find(id_: str) -> Exchange:
    exchange = _inspector().find(id_)
    if exchange is None:
        raise BadRequest("this exchange is no longer kept", status=404)
    return exchange


def _summary(exchange: Exchange) -> dict[str, Any]:
    record = exchange.record
    is_running = record.ended_ns is None
    return {
        "id": record.id,
        "at": _time(exchange.at),
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
    asked = {"method": record.method, "path": path, "headers": exchange.headers, "body": exchange.body.shown()}
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
        "answer": exchange.answer.shown(),
        "backend_url": services().config.backend_url,
        "backend": [_sent(each) for each in exchange.backend],
        "changes": [change._asdict() for change in _changes(exchange)],
        "prompt_prefix": _prefix(exchange),
    }


def _sent(each: BackendRequest) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    asked = {"method": each.method, "path": each.path, "headers": headers, "body": each.body.shown()}
    return {"request": asked, "answer": each.answer.shown() if each.answer else None}


def _translated(exchange: Exchange) -> BackendRequest | None:
    """Return what the client's request became; None if nothing was sent."""
    return next((each for each in reversed(exchange.backend) if not each.path.startswith(_SETS_UP)), None)


def _changes(exchange: Exchange) -> list[Any]:
    sent, received = exchange.body.shown(), _payload(exchange)
    if not isinstance(sent, dict) or not received:
        return []
    return list(request_changes(sent, received, exchange.record.dropped, exchange.record.reasons))


def _payload(exchange: Exchange) -> dict[str, Any]:
    sent = _translated(exchange)
    payload = sent.body.shown() if sent else None
    return payload if isinstance(payload, dict) else {}


def _prefix(exchange: Exchange) -> dict[str, Any] | None:
    """Compare the prompt with the one before of the same client and model."""
    now = _payload(exchange)
    for before in recorder_of(current_app).inspector.exchanges():
        is_same = (before.record.user_agent, before.record.model) == (exchange.record.user_agent, exchange.record.model)
        payload = _payload(before) if is_same and before.at < exchange.at else {}
        if "messages" in payload and "messages" in now:
            broken = prefix_break(payload, now)
            return {"previous": before.record.id, **(broken._asdict() if broken else {"differs_at": None})}
    return None


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")
