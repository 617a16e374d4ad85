"""Turns at what may take long, and threads that do not wait for one that does not come."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class BoundedWaiters:
    """``places`` threads have a turn at a time. ``most_patient`` others wait for one as long as it takes (None: all).

    A server has few threads: if all of them waited for a slow backend, none could answer that it is slow.
    """

    def __init__(self, places: int = 1, *, most_patient: int | None = 0, patience: float) -> None:
        """Who is not patient waits until every turn has been held for ``patience`` seconds."""
        self._places = places
        self._most_patient = most_patient
        self._patience = patience
        self._changed = threading.Condition()
        self._taken_at: list[float] = []
        self._patient = 0

    @contextmanager
    def take(self) -> Iterator[bool]:
        """Hold a turn for the block; yield whether there was one worth waiting for."""
        taken_at = self._take()
        try:
            yield taken_at is not None
        finally:
            if taken_at is not None:
                self._give_back(taken_at)

    def _take(self) -> float | None:
        with self._changed:
            is_patient = self._most_patient is None or self._patient < self._most_patient
            self._patient += is_patient
            try:
                while len(self._taken_at) >= self._places:
                    left = None if is_patient else max(self._taken_at) + self._patience - time.monotonic()
                    if left is not None and left <= 0:
                        return None
                    self._changed.wait(left)
            finally:
                self._patient -= is_patient
            self._taken_at.append(time.monotonic())
            return self._taken_at[-1]

    def _give_back(self, taken_at: float) -> None:
        with self._changed:
            self._taken_at.remove(taken_at)
            self._changed.notify()
