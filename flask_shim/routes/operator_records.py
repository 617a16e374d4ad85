"""What the server has recorded for its operator: the end of the log, and the counts of the last days."""

from __future__ import annotations

import sqlite3
from itertools import chain
from operator import itemgetter

from flask import Blueprint, Response, current_app

from flask_shim.errors import ShimError
from flask_shim.middleware.web_pages import polled_response
from flask_shim.observability import logs
from flask_shim.observability.activity import activity_of
from flask_shim.services import services

bp = Blueprint("operator_records", __name__)


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
