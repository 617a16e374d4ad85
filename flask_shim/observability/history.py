"""Counts and times of the last days by day, client and model, in a SQLite file; never prompts.

Requests only add to sums in memory; a thread adds these to the file every few seconds. Several processes may use the
same file, because each adds what it has counted. What a crash or a full disk prevents from being written is lost or
written later; requests never wait for it and never fail because of it.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any, NamedTuple

from flask_shim.config.data_folder import create_private
from flask_shim.observability.activity import Sums
from flask_shim.observability.client_names import client_name
from flask_shim.observability.request_context import RequestRecord

log = logging.getLogger(__name__)

FILE_NAME = "history.sqlite3"

WRITE_SECONDS = 10.0
"""How often the sums are added to the file."""

BUSY_SECONDS = 5.0
"""How long a write waits for another process; a read that waits longer shows nothing new."""

MOST_CLIENTS = 100
"""Clients of one day and process; further ones are counted as ``OTHER``, because clients invent their names."""

OTHER = "other"


class Group(NamedTuple):
    """What is counted together; unknown clients and models are empty texts."""

    day: str
    client: str
    model: str


_SUMS = tuple(field.name for field in fields(Sums))
_COLUMNS = (*Group._fields, *_SUMS)
_CREATE = f"""
    CREATE TABLE IF NOT EXISTS history (
        day TEXT NOT NULL,  -- of the local calendar
        client TEXT NOT NULL,
        model TEXT NOT NULL,
        {", ".join(f"{name} NUMERIC NOT NULL" for name in _SUMS)},
        PRIMARY KEY (day, client, model)
    ) WITHOUT ROWID
"""
_ADD = f"""
    INSERT INTO history ({", ".join(_COLUMNS)}) VALUES ({", ".join("?" for _ in _COLUMNS)})
    ON CONFLICT DO UPDATE SET {", ".join(f"{name} = {name} + excluded.{name}" for name in _SUMS)}
"""  # noqa: S608  constant names
_FORGET = "DELETE FROM history WHERE day < ?"
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM history WHERE day >= ? ORDER BY day, client, model"  # noqa: S608


class History:
    """The history in one file; its thread starts with the first request that is counted, and ends with the process."""

    def __init__(self, path: Path, days: int) -> None:
        """Keep the last ``days``, of which today is one."""
        self.days = days
        self._path = path
        self._lock = threading.Lock()
        self._pending: dict[Group, Sums] = {}
        self._clients: tuple[str, set[str]] = ("", set())
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_failing = False
        self._writes = 0
        self._read: tuple[tuple[object, ...], list[dict[str, Any]]] | None = None
        """What the file had, and its state before."""

    def note(self, record: RequestRecord) -> None:
        """Count a request that used a model."""
        if not record.model:
            return
        day = _day(0)
        with self._lock:
            group = Group(day, self._client(day, record.user_agent), record.model)
            self._pending.setdefault(group, Sums()).add(record)
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="shim-history", daemon=True)
                thread.start()
                self._thread = thread

    def rows(self) -> list[dict[str, Any]]:
        """Return the groups of the file, the oldest day first; raise OSError or sqlite3.Error if it can't be read.

        It is read again when it has changed; the page asks every few seconds.
        """
        if not self._path.exists() or not (stat := self._path.stat()).st_size:
            return []
        since = _day(self.days - 1)
        state = since, self._writes, stat.st_mtime_ns, stat.st_size
        if self._read is None or self._read[0] != state:
            with closing(sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)) as db:
                found = db.execute(_SELECT, (since,)).fetchall()
            groups = len(Group._fields)
            rows = [{**Group(*row[:groups])._asdict(), **Sums(*row[groups:]).to_json()} for row in found]
            self._read = state, rows
            return rows
        return self._read[1]

    def write(self) -> bool:
        """Add what was counted to the file; return whether it was written. Otherwise it is kept for the next time."""
        with self._lock:
            pending, self._pending = self._pending, {}
        if not pending:
            return True
        try:
            _add(self._path, pending, forget=_day(self.days - 1))
        except (OSError, sqlite3.Error) as exc:
            self._keep(pending)
            if not self._is_failing:
                log.warning("the history can't be written to %s: %s", self._path, exc)
            self._is_failing = True
            return False
        self._is_failing = False
        self._writes += 1
        return True

    def close(self) -> None:
        """End the thread and write the rest; safe to call twice."""
        self._closed.set()
        self.write()

    def _client(self, day: str, user_agent: str) -> str:
        if self._clients[0] != day:
            self._clients = day, set()
        seen, name = self._clients[1], client_name(user_agent) or ""
        if name not in seen and len(seen) >= MOST_CLIENTS:
            return OTHER
        seen.add(name)
        return name

    def _keep(self, pending: dict[Group, Sums]) -> None:
        """Put back what was not written; days that are forgotten by now are dropped."""
        since = _day(self.days - 1)
        with self._lock:
            for group, sums in self._pending.items():
                pending[group] = pending.get(group, Sums()) + sums
            self._pending = {group: sums for group, sums in pending.items() if group.day >= since}

    def _run(self) -> None:
        while not self._closed.wait(WRITE_SECONDS):
            self.write()


def _add(path: Path, pending: Mapping[Group, Sums], forget: str) -> None:
    create_private(path)
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute(_CREATE)
        db.executemany(_ADD, [(*group, *astuple(sums)) for group, sums in pending.items()])
        db.execute(_FORGET, (forget,))
        db.execute("COMMIT")


def _day(before: int) -> str:
    """Return the local date of that many days ago."""
    return time.strftime("%Y-%m-%d", time.localtime(time.time() - before * 86_400))
