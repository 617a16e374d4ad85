"""A semaphore for slow operations, with a limit for the threads that wait for it without a timeout."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class BoundedWaiters:
    """A semaphore for ``places`` threads, on which at most ``most_patient`` others wait without a timeout (None: all).

    A server has few threads: if all of them waited for a slow backend, none would be left for other requests.
    """

    def __init__(self, places: int = 1, *, most_patient: int | None = 0, patience: float) -> None:
        """Other threads wait until each place has been held for ``patience`` seconds."""
        self._places = places
        self._most_patient = most_patient
        self._patience = patience
        self._changed = threading.Condition()
        self._taken_at: list[float] = []
        self._patient = 0

    @contextmanager
    def take(self) -> Iterator[bool]:
        """Hold a place for the block; yield whether one was obtained."""
        taken_at = self._take()
        try:
            yield taken_at is not None
        finally:
            if taken_at is not None:
                with self._changed:
                    self._taken_at.remove(taken_at)
                    self._changed.notify()

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
