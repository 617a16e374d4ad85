"""The inspector's exchanges: both sides of a request, what was changed between them and why; replay one.

Each worker keeps the exchanges of its own requests, so all of them are asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from operator import itemgetter
from typing import Any

import orjson
from flask import Blueprint, Response, current_app, request

from flask_shim.error_responses import json_response
from flask_shim.errors import BadRequest, Forbidden
from flask_shim.inference.forwarding import ForwardRequest, forward
from flask_shim.lmstudio.errors import ModelNotFound
from flask_shim.middleware.operator_access import is_from_this_machine
from flask_shim.middleware.web_pages import make_cacheable
from flask_shim.observability.access_log import recorder_of
from flask_shim.observability.activity import activity_of
from flask_shim.routes.exchange_records import QUESTIONS, Details, iso_time
from flask_shim.routes.model_requests import default_requirements
from flask_shim.schemas.service_schemas import RecordingSchema, read
from flask_shim.services import services
from flask_shim.translate.request_changes import prefix_break

bp = Blueprint("exchanges", __name__)

_RECORDING = RecordingSchema()


@bp.before_request
def check_access() -> None:
    """Refuse clients that may not see prompts."""
    if not services().config.api_keys and not is_from_this_machine(request.environ):
        raise Forbidden("the inspector shows prompts: open it on this machine, or set SHIM_API_KEY")


@bp.get("/shim/exchanges")
def list_exchanges() -> Response:
    """List the exchanges that the inspector keeps, the newest first."""
    inspector = recorder_of(current_app).inspector
    until = None if inspector.until is None or not inspector.limit else iso_time(inspector.until)
    recording = {"limit": inspector.limit, "until": until}
    listed = sorted(chain.from_iterable(_ask_all("exchanges")), key=itemgetter("at"), reverse=True)
    return make_cacheable(json_response({"recording": recording, "exchanges": listed}), "no-cache")


@bp.post("/shim/exchanges")
def start_recording() -> Response:
    """Keep the last requests for a while."""
    wanted = read(_RECORDING, request.get_data(cache=False))
    _record(wanted["limit"], 60 * wanted["minutes"])
    return json_response({})


@bp.delete("/shim/exchanges")
def stop_recording() -> Response:
    """Keep no more requests, and forget those kept."""
    _record(0, 0)
    return json_response({})


@bp.get("/shim/exchanges/<exchange>")
def show_exchange(exchange: str) -> Response:
    """Show both sides of one exchange."""
    found = _find(exchange)
    return make_cacheable(json_response({**found.report, "prompt_prefix": _prefix(found)}), "no-cache")


@bp.post("/shim/exchanges/<exchange>/replay")
def replay_exchange(exchange: str) -> Response:
    """Send what LM Studio received again, and return its answer as it is."""
    found = _find(exchange)
    if not found.payload:
        raise BadRequest("nothing was sent to LM Studio for this request, so it cannot be replayed")
    if not found.is_complete:
        raise BadRequest("pictures or keys are left out of this request, so it cannot be replayed")
    target = services().registry.find(str(found.payload.get("model")))
    if target is None:
        raise ModelNotFound(f"LM Studio no longer has the model {found.payload.get('model')}")
    again = ForwardRequest(path=found.path, payload=found.payload, requirements=default_requirements(target))
    return forward(again)


def _ask_all(question: str, argument: str = "") -> Iterator[Any]:
    """Yield the answer of this worker, then those of the others."""
    yield QUESTIONS[question](argument)
    yield from activity_of(current_app).ask_others(question, argument)


def _record(limit: int, seconds: float) -> None:
    """Switch all inspectors on, or off if ``limit`` is 0."""
    for _ in _ask_all("record", orjson.dumps([limit, seconds]).decode()):
        pass


def _find(id_: str) -> Details:
    found: Details | None = next(filter(None, _ask_all("exchange", id_)), None)
    if found is None:
        raise BadRequest("this exchange is no longer kept", status=404)
    return found


def _prefix(now: Details) -> dict[str, Any] | None:
    """Compare the prompt with the one before of the same client and model."""
    if "messages" not in now.payload:
        return None
    sender = orjson.dumps([now.report["client"]["user_agent"], now.report["model"], now.at]).decode()
    before = max(filter(None, _ask_all("earlier prompt", sender)), key=itemgetter(0), default=None)
    if before is None:
        return None
    _, id_, payload = before
    broken = prefix_break(payload, now.payload)
    return {"previous": id_, **(broken._asdict() if broken else {"differs_at": None})}
