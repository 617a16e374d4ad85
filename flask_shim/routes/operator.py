"""The operator's routes: what the server does and has done, stopping a request, reading ``flask-shim.toml`` again."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from operator import itemgetter
from typing import Any

from flask import Blueprint, Response, current_app

from flask_shim._version import __version__
from flask_shim.config.shim_file import ShimFile
from flask_shim.config.toml_tables import kinds_of
from flask_shim.error_responses import json_response
from flask_shim.errors import ShimError
from flask_shim.middleware.web_pages import polled_response
from flask_shim.observability import logs
from flask_shim.observability.activity import activity_of, to_requests, to_status
from flask_shim.routes.operator_models import expires_at
from flask_shim.services import RELOAD, services
from flask_shim.translate.ollama.listing import context_length, size_bytes

bp = Blueprint("operator", __name__)


@bp.get("/shim/status")
def status() -> Response:
    """Show where the shim listens, the backend, the loaded models, the slots, the last hour and the last error.

    With several LM Studios, ``backends`` has the state of each; ``backend`` is the one of the highest priority.
    """
    config, snapshots = services().config, activity_of(current_app).snapshots()
    backend: dict[str, Any] = {"url": config.backend_url, "api_version": None, "reachable": False, "error": None}
    loaded: list[dict[str, Any]] = []
    try:
        listing = services().backends.listing(must_answer=True)
        backend |= {"api_version": listing.api_version.name.lower(), "reachable": True}
        loaded = list(_loaded_models())
    except ShimError as exc:
        backend["error"] = exc.text
    return polled_response(
        {
            "version": __version__,
            "listening": [f"http://{f'[{host}]' if ':' in host else host}:{config.port}" for host in config.hosts],
            "workers": config.workers,
            "backend": backend,
            "loaded": loaded,
            **to_status(snapshots),
            **_machines(Counter(row["backend"] for each in snapshots for row in each.running)),
        }
    )


@bp.get("/shim/requests")
def requests() -> Response:
    """List the requests in flight, and the last hundred that used a model or failed."""
    return polled_response(to_requests(activity_of(current_app).snapshots()))


@bp.delete("/shim/requests/<id>")
def cancel(id: str) -> Response:  # noqa: A002  the name in the path
    """Stop a request: its client gets an error, and LM Studio stops generating."""
    if not activity_of(current_app).cancel(id):
        raise ShimError(f"no request {id} is in flight: it may have just ended", status=404)
    return json_response({"id": id, "canceled": True})


@bp.post("/shim/reload")
def reload() -> Response:
    """Take over the changes of ``flask-shim.toml`` in all workers; with a mistake in it, nothing changes."""
    activity = activity_of(current_app)
    problems, answers = services().reload(), []
    if not problems:
        answers = list(activity.ask_others(RELOAD, ""))
        problems = tuple(chain.from_iterable(answers))
    if problems:
        raise ShimError("\n".join(dict.fromkeys(problems)), status=409)
    file = services().config.file
    found: dict[str, Any] = {name: len(getattr(file, name)) for name in kinds_of(ShimFile)}
    if silent := activity.other_workers - len(answers):
        found["silent_workers"] = silent
    return json_response({"file": str(file.path), **found})


@bp.get("/shim/log")
def show_log() -> Response:
    """Return the last lines of the log of all workers, the oldest first."""
    found = chain(logs.recent_lines(), *activity_of(current_app).ask_others("log", ""))
    return polled_response({"lines": sorted(found, key=itemgetter("text"))[-logs.RECENT_LINES :]})


@bp.get("/shim/history")
def show_history() -> Response:
    """Return counts and times by day, client and model, if ``SHIM_HISTORY_DAYS`` keeps them."""
    history = services().history
    try:
        rows = history.rows() if history else []
    except (OSError, sqlite3.Error) as exc:
        raise ShimError(f"the history can't be read: {exc}. Rename its file in SHIM_DATA_DIR to begin again.") from exc
    return polled_response({"days_kept": history.days if history else 0, "rows": rows})


def _machines(in_flight: Counter[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the state of each LM Studio if there are several, with its requests ``in_flight`` by name."""
    backends = services().backends
    if len(backends) == 1:
        return {}
    rows = []
    for backend in backends:
        models = backend.last_listing.models if backend.last_listing else ()
        rows.append(
            {
                "name": backend.name,
                "url": backend.client.options.base_url,
                "state": backend.state,
                "error": backend.failure.text if backend.failure else None,
                "priority": backend.priority,
                "models": len(models),
                "loaded": [model.key for model in models if model.is_loaded],
                "in_flight": in_flight[backend.name],
                "max_streams": backend.max_streams,
            }
        )
    return {"backends": rows}


def _loaded_models() -> Iterator[dict[str, Any]]:
    """Yield the loaded models with the time at which each is unloaded, None if no time is set."""
    listing = services().backends.listing()
    copies = services().backends.places_by_model(listing)
    for entry in services().registry.models(listing):
        if not entry.model.is_loaded:
            continue
        yield {
            "name": entry.name,
            "size_bytes": size_bytes(entry.model) or None,
            "context_length": context_length(entry),
            "expires_at": expires_at(entry.model),
            **({"backends": [at.name for at, model in copies[entry.model.key] if model.is_loaded]} if copies else {}),
        }
