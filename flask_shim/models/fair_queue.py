"""The order in which requests of several clients get what all of them wait for."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from contextvars import copy_context
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Waiter(Generic[T]):
    """A request that waits for something: ``start`` returns it, or None if it is not free."""

    result: T
    """What it has waited for, once ``has_ended`` is set without a ``failure``."""

    def __init__(self, client: Hashable, start: Callable[[], T | None]) -> None:
        """``start`` is called on any thread, always in the context of this one."""
        self.client = client
        self.failure: Exception | None = None
        self.has_ended = threading.Event()
        self._start = start
        self._context = copy_context()

    def try_start(self) -> bool:
        """Try to start; return whether the wait has ended."""
        try:
            result = self._context.run(self._start)
        except Exception as exc:  # noqa: BLE001  the thread of the request raises it
            self.fail(exc)
            return True
        if result is None:
            return False
        self.result = result
        self.has_ended.set()
        return True

    def fail(self, failure: Exception) -> None:
        """End the wait."""
        self.failure = failure
        self.has_ended.set()


class FairQueue:
    """Requests that wait, by client; needs a lock of its owner."""

    def __init__(self) -> None:
        self._by_client: dict[Hashable, deque[Waiter[Any]]] = {}
        self._length = 0

    def __len__(self) -> int:
        """Return the number of requests; for this no lock is needed."""
        return self._length

    def add(self, waiter: Waiter[Any]) -> None:
        """Add a request behind the others of its client."""
        self._by_client.setdefault(waiter.client, deque()).append(waiter)
        self._length += 1

    def remove(self, waiter: Waiter[Any]) -> bool:
        """Remove a request; return whether it was in the queue."""
        waiters = self._by_client.get(waiter.client, ())
        if waiter not in waiters:
            return False
        self._by_client[waiter.client].remove(waiter)
        self._length -= 1
        if not waiters:
            del self._by_client[waiter.client]
        return True

    def start_next(self, running: Mapping[Hashable, int]) -> bool:
        """Start the next request that can start, and remove it; return whether there was one.

        The client with the fewest ``running`` requests comes first, of several the one that was not served for longest.
        Requests of one client come in the order of their arrival.
        """
        for client in sorted(self._by_client, key=lambda client: running.get(client, 0)):
            for waiter in self._by_client[client]:
                if waiter.try_start():
                    self.remove(waiter)
                    return True
        return False

    def rotate(self, client: Hashable) -> None:
        """Put the requests of a client, one of which has ended, behind those of the others."""
        if client in self._by_client:
            self._by_client[client] = self._by_client.pop(client)

    def pop_last(self) -> Waiter[Any]:
        """Remove and return the last request of the client that has most of them."""
        waiter = max(reversed(self._by_client.values()), key=len)[-1]
        self.remove(waiter)
        return waiter
