"""The aliases of this user, shared by threads and processes, and cached in memory until the file changes."""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TypeVar

from flask_shim.errors import ShimError
from flask_shim.models import alias_db
from flask_shim.models.alias_db import AliasDatabaseError
from flask_shim.translate.ollama.alias import Alias, alias_key

log = logging.getLogger(__name__)

FILE_NAME = "aliases.sqlite3"

RETRY_SECONDS = 5.0
"""How long to wait until an unreadable file that did not change is read again."""

RECENT_SECONDS = 0.01
"""How long aliases are recent. Looking at the file lets another thread take Python's lock, which costs more."""

SETTLED_NS = 2_100_000_000
"""Two changes within this time may have the same modification time: FAT stores it in steps of two seconds."""

_SHARING_VIOLATION = 32
"""Windows' error code for a file that is open in another thread or process."""

_RENAME_SECONDS = 0.02

T = TypeVar("T")

Stamp = tuple[int, int, int] | None
"""Identifies a state of the file: modification time (ns), size, inode; None if there is no file."""


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """The aliases that were read at ``stamp``; valid until ``good_until`` on the monotonic clock."""

    stamp: Stamp
    aliases: Mapping[str, Alias]
    good_until: float

    def is_current(self, stamp: Stamp) -> bool:
        return self.stamp == stamp and time.monotonic() < self.good_until


def _stamp_of(path: Path) -> Stamp:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return (0, 0, 0)  # reading the file raises the reason
    return (status.st_mtime_ns, status.st_size, status.st_ino)


class AliasStore:
    """The aliases in one file, created with the first alias. Safe to use from any thread."""

    def __init__(self, path: Path) -> None:
        """Read nothing yet; a missing file holds no aliases."""
        self._path = path
        self._reading = threading.Lock()
        self._writing = threading.Lock()
        self._snapshot = _Snapshot(None, {}, math.inf)
        self._looked_at = -math.inf
        self._warned = ""

    def aliases(self, *, recent: bool = False) -> Mapping[str, Alias]:
        """Return all aliases by :func:`alias_key`: the same read-only object until something changes.

        With ``recent``, what another process has changed within ``RECENT_SECONDS`` may be missing. Never raises: an
        unreadable file is a warning in the log, and the aliases that were read before remain.
        """
        snapshot, now = self._snapshot, time.monotonic()
        if recent and now - self._looked_at < RECENT_SECONDS:
            return snapshot.aliases
        if not snapshot.is_current(_stamp_of(self._path)):
            with self._reading:
                snapshot = self._snapshot
                if not snapshot.is_current(_stamp_of(self._path)):
                    snapshot = self._snapshot = self._read(snapshot)
        self._looked_at = now
        return snapshot.aliases

    def find(self, name: str) -> Alias | None:
        """Return the alias of that name."""
        return self.aliases().get(alias_key(name))

    def put(self, alias: Alias) -> None:
        """Save an alias; one of the same name is replaced but keeps its spelling. Raise ShimError on failure."""
        self._change(lambda db: alias_db.replace(db, alias))

    def delete(self, name: str) -> bool:
        """Delete the alias of that name; return whether it existed. Raise ShimError on failure."""
        return self.find(name) is not None and self._change(lambda db: alias_db.delete(db, alias_key(name)))

    def _read(self, before: _Snapshot) -> _Snapshot:
        stamp = _stamp_of(self._path)
        try:
            found = self._run_with_repair(lambda: alias_db.read(self._path)) if stamp else {}
        except (OSError, sqlite3.Error, AliasDatabaseError) as exc:
            warning = f"the aliases in {self._path} cannot be read: {_reason(exc)}"
            if warning != self._warned:
                self._warned = warning
                log.warning("%s", warning)
            return _Snapshot(stamp, before.aliases, time.monotonic() + RETRY_SECONDS)
        self._warned = ""
        is_settled = stamp is None or time.time_ns() - stamp[0] > SETTLED_NS
        # Caches compare the aliases by identity.
        aliases = before.aliases if found == before.aliases else found
        return _Snapshot(stamp, aliases, math.inf if is_settled else -math.inf)

    def _change(self, work: alias_db.Change[T]) -> T:
        try:
            with self._writing:
                result = self._run_with_repair(lambda: alias_db.change(self._path, work))
        except (OSError, sqlite3.Error, AliasDatabaseError) as exc:
            log.warning("aliases cannot be saved in %s: %s", self._path, _reason(exc))
            text = f"aliases cannot be saved: {_reason(exc)} (SHIM_DATA_DIR names the folder for them)"
            raise ShimError(text, status=507) from exc
        self.aliases()  # so that requests which do not look at the file see it, too
        return result

    def _run_with_repair(self, work: Callable[[], T]) -> T:
        """Do ``work``; if the file is damaged, rename it and do the work again without it."""
        stamp = _stamp_of(self._path)
        try:
            return work()
        except AliasDatabaseError as exc:
            reason = str(exc)
        # Outside the except block, since the traceback may keep the file open, and Windows cannot rename an open file.
        with alias_db.exclusive_lock(self._path):
            if _stamp_of(self._path) == stamp:  # otherwise another thread or process has renamed it already
                self._put_aside(reason)
        return work()

    def _put_aside(self, reason: str) -> None:
        # No journal is left beside it: SQLite has played it back, and deleted it, before it found the damage.
        kept = self._path.with_name(f"{self._path.name}.damaged-{datetime.now(timezone.utc):%Y%m%d-%H%M%S-%f}")
        deadline = time.monotonic() + alias_db.READ_SECONDS
        while True:
            try:
                self._path.rename(kept)
                break
            except PermissionError as exc:
                if getattr(exc, "winerror", None) != _SHARING_VIOLATION or time.monotonic() > deadline:
                    raise
                time.sleep(_RENAME_SECONDS)  # another thread or process is reading the file
        log.warning("the alias file is damaged (%s): renamed to %s, and replaced with an empty one", reason, kept)


def _reason(exc: Exception) -> str:
    """Return the reason without the path that an OSError includes."""
    return (isinstance(exc, OSError) and exc.strerror) or str(exc)
