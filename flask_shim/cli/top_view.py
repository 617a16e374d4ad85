"""What ``flask-shim top`` shows, from the JSON of the routes; nothing here reads a terminal or a server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from flask_shim.cli.setting_options import plain
from flask_shim.cli.tables import UNKNOWN, Row, clock_text, fitted_table, size_text, terminal_text, text_of

SORT_KEYS = ("age_seconds", "tokens_per_second", "output_tokens", "client", "model")
"""The orders that ``s`` goes through; numbers come largest first."""

KEYS = "Up, Down: select   x: stop the selected request   s: sort   q: quit"


@dataclass(slots=True)
class View:
    """The choices of the user. ``selected`` is the id of a request."""

    sort: str = SORT_KEYS[0]
    selected: str = ""
    message: str = ""
    failure: str = ""
    """Why what is shown is out of date, such as a shim that restarts."""

    def sort_next(self) -> None:
        """Go to the next order."""
        self.sort = SORT_KEYS[(SORT_KEYS.index(self.sort) + 1) % len(SORT_KEYS)]

    def ordered(self, running: list[Row]) -> list[Row]:
        """Return the requests in the chosen order, those without a value last."""
        known = [row for row in running if row[self.sort] is not None]
        is_number = any(isinstance(row[self.sort], int | float) for row in known)
        known.sort(key=lambda row: row[self.sort], reverse=is_number)
        return known + [row for row in running if row[self.sort] is None]

    def move(self, running: list[Row], steps: int) -> None:
        """Select the request that many lines below the selected one."""
        # Clients choose the ids (X-Request-ID), also that of another request.
        ids = list(dict.fromkeys(row["id"] for row in self.ordered(running)))
        at = ids.index(self.selected) + steps if self.selected in ids else 0
        self.selected = ids[min(max(0, at), len(ids) - 1)] if ids else ""


def render(view: View, status: Row, running: list[Row], width: int) -> Group:
    """Return the screen of a terminal with ``width`` columns."""
    headline = terminal_text(view.failure, "red") if view.failure else _headline(status)
    lines = [headline, *(terminal_text(f"  {_model(model)}") for model in status["loaded"])]
    if error := status["last_error"]:
        lines.append(terminal_text(f"Last error at {time_of_day(error['at'])}: {error['message']}", "red"))
    table = _table(view, running, width) if running else Text("No request is in flight.", style="dim")
    return Group(*lines, Text(), table, Text(), terminal_text(view.message), Text(KEYS, style="dim"))


def seconds_text(seconds: float | None) -> str:
    """Return a duration in at most eight characters."""
    if seconds is None:
        return UNKNOWN
    if seconds < 60:
        return f"{seconds:.1f} s"
    return clock_text(int(seconds))


def rate_text(rate: float | None) -> str:
    """Return tokens per second."""
    return UNKNOWN if rate is None else f"{rate:.1f}"


def _phase(row: Row) -> str:
    if row["phase"] == "queued" and row["queue_seconds"] is not None:
        return f"queued {seconds_text(row['queue_seconds'])}"
    share = row["progress_estimate"]
    return str(row["phase"]) if share is None else f"{row['phase']} {100 * share:.0f} %"


CELLS: dict[str, Callable[[Row], str]] = {
    "ID": lambda row: row["id"],
    "CLIENT": lambda row: text_of(row["client"] or row["client_address"]),
    "MODEL": lambda row: text_of(row["model"]),
    "PHASE": _phase,
    "PROMPT": lambda row: text_of(row["prompt_tokens"]),
    "OUTPUT": lambda row: text_of(row["output_tokens"]),
    "TOKENS/S": lambda row: rate_text(row["tokens_per_second"]),
    "FIRST TOKEN": lambda row: seconds_text(row["time_to_first_token_seconds"]),
    "AGE": lambda row: seconds_text(row["age_seconds"]),
}
"""The columns of a request in flight."""


def _table(view: View, running: list[Row], width: int) -> Table:
    rows = view.ordered(running)
    table = fitted_table([{name: plain(cell(row)) for name, cell in CELLS.items()} for row in rows], width)
    for row, line in zip(rows, table.rows, strict=True):
        line.style = "reverse" if row["id"] == view.selected else ""
    return table


def _headline(status: Row) -> Text:
    backend, slots = status["backend"], status["slots"]
    if not backend["reachable"]:
        return terminal_text(f"LM Studio does not answer at {backend['url']}: {text_of(backend['error'])}", "red")
    is_full = slots["in_use"] >= slots["total"]
    machines = [machine["state"] for machine in status.get("backends", ())]
    where = (
        f"{machines.count('ready')} of {len(machines)} machines ready" if machines else f"LM Studio at {backend['url']}"
    )
    text = f"{where}   {slots['in_use']} of {slots['total']} slots in use"
    text += f", {slots['waiting']} waiting" if slots["waiting"] else ""
    return terminal_text(text, "yellow" if is_full else "bold")


def _model(model: dict[str, Any]) -> str:
    end = model["expires_at"]
    left = (_time(end) - datetime.now(timezone.utc)).total_seconds() if end else 0
    until = f"{seconds_text(max(0.0, left))} left" if end else "until it is unloaded"
    context = f"{model['context_length']} tokens" if model["context_length"] else "context unknown"
    return f"{model['name']}   {size_text(model['size_bytes'])}   {context}   {until}"


def time_of_day(timestamp: str) -> str:
    """Return a time of the server as the clock of this computer shows it."""
    return f"{_time(timestamp).astimezone():%H:%M:%S}"


def _time(timestamp: str) -> datetime:
    return datetime.fromisoformat(timestamp.replace("Z", "+00:00"))
