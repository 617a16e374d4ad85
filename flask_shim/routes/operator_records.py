"""What the server has recorded for its operator: the end of the log, and the counts of the last days."""

from __future__ import annotations

import sqlite3

from flask import Blueprint, Response

from flask_shim.error_responses import json_response
from flask_shim.errors import ShimError
from flask_shim.middleware.web_pages import revalidated
from flask_shim.observability import logs
from flask_shim.services import services

bp = Blueprint("operator_records", __name__)


@bp.get("/shim/log")
def show_log() -> Response:
    """Return the last lines of the log, the oldest first."""
    return revalidated(json_response({"lines": logs.recent_lines()}), "no-cache", weak=True)


@bp.get("/shim/history")
def show_history() -> Response:
    """Return counts and times by day, client and model, if ``SHIM_HISTORY_DAYS`` keeps them."""
    history = services().history
    try:
        rows = history.rows() if history else []
    except (OSError, sqlite3.Error) as exc:
        raise ShimError(f"the history can't be read: {exc}. Rename its file in SHIM_DATA_DIR to begin again.") from exc
    return revalidated(
        json_response({"days_kept": history.days if history else 0, "rows": rows}), "no-cache", weak=True
    )
