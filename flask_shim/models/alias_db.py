"""The SQLite file with the aliases: its schema, its rows, and how it is opened.

It has SQLite's default journal mode, not WAL: every change then alters the file itself, whose size and times tell other
processes about it; a file in a read-only folder can be read; and there is one file to back up.
A connection is open for one operation only, because Windows cannot rename an open file. Nothing else opens the file,
because closing it would release SQLite's locks on POSIX.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import orjson
from marshmallow import ValidationError

from flask_shim.config.data_folder import create_private
from flask_shim.schemas.ollama_requests import MESSAGES
from flask_shim.translate.ollama.alias import Alias, messages_to_json, to_json

SCHEMA = 2
"""Stored in the file as its user_version. Version 1 has no ``config``; the first change of such a file adds it."""

BUSY_SECONDS = 10.0
"""How long a change waits for another process or thread to release the lock."""

READ_SECONDS = 1.0
"""How long a read waits for it, shorter because the cached aliases are nearly always current."""

T = TypeVar("T")

Change = Callable[[sqlite3.Connection], T]

_COLUMNS = (
    *("key", "name", "base", "parent", "system", "template", "license", "parameters", "messages", "created_ns"),
    "config",
)
_CREATE = """
    CREATE TABLE aliases (
        key TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        base TEXT NOT NULL,
        parent TEXT NOT NULL,
        system TEXT NOT NULL,
        template TEXT NOT NULL,
        license TEXT NOT NULL,     -- a JSON array of texts
        parameters TEXT NOT NULL,  -- a JSON object
        messages TEXT NOT NULL,    -- a JSON array of turns, as in Ollama's API
        created_ns INTEGER NOT NULL,
        config TEXT NOT NULL       -- a JSON object of texts
    ) WITHOUT ROWID
"""
_ADD_CONFIG = "ALTER TABLE aliases ADD COLUMN config TEXT NOT NULL DEFAULT '{}'"

_SELECT = "SELECT * FROM aliases ORDER BY key"
_SPELLING = "SELECT name FROM aliases WHERE key = ?"
_REPLACE = "REPLACE INTO aliases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_DELETE = "DELETE FROM aliases WHERE key = ?"


class AliasDatabaseError(Exception):
    """The file does not hold aliases that this version can read."""


def read(path: Path) -> dict[str, Alias]:
    """Return all aliases by their keys, none if there is no file; raise if it cannot be read or is damaged."""
    if not path.exists():
        return {}
    is_empty = path.stat().st_size == 0
    with _open(path, READ_SECONDS) as db:
        db.execute("BEGIN")
        if _is_new(db, is_empty=is_empty):
            return {}
        # SQLite keeps the file open while a cursor is, even after its connection was closed.
        with closing(db.execute(_SELECT)) as rows:
            return {row[0]: _to_alias(row) for row in rows}


def change(path: Path, work: Change[T]) -> T:
    """Do ``work`` in one transaction, in a new file if it does not exist; raise like :func:`read`."""
    # On Windows, SQLite opens a file that is being renamed for reading only.
    with exclusive_lock(path):
        create_private(path)  # system prompts are private
        is_empty = path.stat().st_size == 0
        with _open(path, BUSY_SECONDS) as db:
            db.execute("BEGIN IMMEDIATE")
            if _is_new(db, is_empty=is_empty):
                db.execute(_CREATE)
            elif _version_of(db) == 1:
                db.execute(_ADD_CONFIG)
            db.execute(f"PRAGMA user_version = {SCHEMA}")
            result = work(db)
            db.execute("COMMIT")
    return result


def replace(db: sqlite3.Connection, alias: Alias) -> None:
    """Write an alias; one of the same name is replaced but keeps its spelling."""
    spelling = db.execute(_SPELLING, (alias.key,)).fetchone()
    db.execute(_REPLACE, _to_row(alias, name=spelling[0] if spelling else alias.name))


def delete(db: sqlite3.Connection, key: str) -> bool:
    """Delete an alias; return whether it existed."""
    return db.execute(_DELETE, (key,)).rowcount > 0


@contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Prevent other threads and processes from replacing the file during the block; an empty lock file remains."""
    lock = path.with_name(f"{path.name}.lock")
    create_private(lock)
    with closing(sqlite3.connect(lock, timeout=BUSY_SECONDS, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        yield


@contextmanager
def _open(path: Path, busy_seconds: float) -> Iterator[sqlite3.Connection]:
    """Open the file for one operation, which is rolled back if it raises; wait for a lock."""
    try:
        # isolation_level None: Python opens no transactions of its own.
        with closing(sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)) as db:
            db.text_factory = bytes.decode
            yield db
    except sqlite3.OperationalError:
        raise  # locked, disk full or access denied: the file is not damaged
    except (sqlite3.DatabaseError, ValueError, TypeError, ValidationError) as exc:
        raise AliasDatabaseError(str(exc)) from exc


def _is_new(db: sqlite3.Connection, *, is_empty: bool) -> bool:
    """Return whether nothing was written to the file yet; raise AliasDatabaseError if its content is not ours."""
    columns = tuple(row[1] for row in db.execute("PRAGMA table_info(aliases)"))
    if columns == {1: _COLUMNS[:-1], SCHEMA: _COLUMNS}.get(_version_of(db)):
        return False
    if is_empty:  # by its size: SQLite itself treats any file of less than 512 bytes as empty, and overwrites it
        return True
    raise AliasDatabaseError(f"it does not hold aliases in version {SCHEMA} of their form")


def _version_of(db: sqlite3.Connection) -> int:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return version


def _to_row(alias: Alias, name: str) -> tuple[Any, ...]:
    return (
        alias.key,
        name,
        alias.base,
        alias.parent,
        alias.system,
        alias.template,
        orjson.dumps(alias.license).decode(),
        to_json(alias.parameters).decode(),
        messages_to_json(alias.messages).decode(),
        alias.created_ns,
        to_json(alias.config).decode(),
    )


def _to_alias(row: tuple[Any, ...]) -> Alias:
    _, name, base, parent, system, template, license_, parameters, turns, created_ns, *config = row
    return Alias(
        name=name,
        base=base,
        created_ns=created_ns,
        parent=parent,
        system=system,
        template=template,
        license=tuple(orjson.loads(license_)),
        parameters=orjson.loads(parameters),
        messages=MESSAGES.deserialize(orjson.loads(turns)),
        config=orjson.loads(config[0]) if config else {},
    )
