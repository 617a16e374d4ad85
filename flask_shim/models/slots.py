"""Slots for generations: fewer than the server has threads, and if wanted a queue of requests that wait for one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from flask_shim.lmstudio import BackendCall
from flask_shim.lmstudio.errors import ServerBusy
from flask_shim.models.fair_queue import FairQueue, Waiter
from flask_shim.observability.request_context import current

BUSY = "server busy, please try again.  maximum pending requests exceeded"
"""Ollama's text, including both spaces; clients look for "busy"."""

DRAINING = "server is shutting down, please try again later"

_WAIT_SECONDS = 0.2
"""How often a request that waits looks for a disconnect, and sends the heartbeat that is due."""


def draining_error() -> ServerBusy:
    """Return the error for new requests while the server shuts down."""
    return ServerBusy(DRAINING, retry_after=5)


class Place(Protocol):
    """Where a request runs."""

    def release(self) -> None:
        """Give the place back; called once, with the lock of :class:`Slots` held."""


class Anywhere:
    """The place of a request that needs only a slot."""

    def release(self) -> None:
        """Do nothing."""


P = TypeVar("P", bound=Place)


class Slots:
    """A fixed number of slots, until :meth:`drain` closes admission."""

    def __init__(self, total: int, *, max_waiting: int = 0, queue_seconds: float = 0.0) -> None:
        """Allow ``total`` generations at once, while at most ``max_waiting`` others wait for ``queue_seconds``."""
        self.total = total
        self.max_waiting = max_waiting
        self.in_use = 0
        self.draining = False
        self.is_stopping = False
        """Whether the shim is about to drain: ``/ready`` returns 503, but requests are still accepted."""
        self.server_noticed = False
        """Whether :mod:`flask_shim.middleware.server_check` has checked the server's threads."""
        self._queue_seconds = queue_seconds
        self._lock = threading.Lock()
        self._queue = FairQueue()
        self._running: dict[Hashable, int] = {}
        """How many slots each client has."""

    @property
    def waiting(self) -> int:
        """How many requests wait for a slot."""
        return len(self._queue)

    def take(self) -> Slot[Anywhere]:
        """Take a slot; raise ServerBusy if none is free."""
        with self._lock:
            self._check_open()
            slot = self._start(None, Anywhere)
        if slot is None:
            raise ServerBusy(BUSY, retry_after=1)
        return slot

    def take_in_turn(self, try_start: Callable[[], P | None], client: Hashable, call: BackendCall) -> Slot[P]:
        """Take a slot with the place that ``try_start`` returns, when it is the turn of ``client``.

        ``try_start`` returns None while the request can start nowhere. It is called again whenever a request ends: on
        any thread, in the context of this one, and with the lock of the slots held, so it must not block.

        Raises ServerBusy if the queue is full, the wait takes too long or the server drains; what ``try_start`` raises;
        and the failure of ``call`` if its client disconnects or it is canceled.
        """
        with self._lock:
            self._check_open()
            has_queue = self.max_waiting > 0
            if not (has_queue and self._queue) and (slot := self._start(client, try_start)) is not None:
                return slot
            if not has_queue:
                raise ServerBusy(BUSY, retry_after=1)
            waiter = Waiter(client, partial(self._start, client, try_start))
            self._queue.add(waiter)
            self._start_waiting()
            if len(self._queue) > self.max_waiting:
                self._queue.pop_last().fail(ServerBusy(BUSY, retry_after=1))
        if not waiter.has_ended.is_set():
            self._wait(waiter, call)
        if waiter.failure is not None:
            raise waiter.failure
        return waiter.result

    def start_waiting(self) -> None:
        """Start the requests that can start now; needed only after a place got free that no request has released."""
        with self._lock:
            self._start_waiting()

    def limit(self, total: int, max_waiting: int) -> None:
        """Lower both numbers where they are higher; slots in use are not revoked."""
        with self._lock:
            self.total = min(self.total, total)
            self.max_waiting = min(self.max_waiting, max_waiting)
            while len(self._queue) > self.max_waiting:
                self._queue.pop_last().fail(ServerBusy(BUSY, retry_after=1))

    def drain(self) -> None:
        """Admit no more requests, and refuse those that wait."""
        with self._lock:
            self.draining = self.is_stopping = True
            while self._queue:
                self._queue.pop_last().fail(draining_error())

    def give_back(self, slot: Slot[Any]) -> None:
        """Return a slot and its place; only :class:`Slot` calls this."""
        with self._lock:
            if slot.is_released:
                return
            slot.is_released = True
            self.in_use -= 1
            running = self._running.pop(slot.client) - 1
            if running:
                self._running[slot.client] = running
            slot.place.release()
            if self.max_waiting:
                self._queue.rotate(slot.client)
                self._start_waiting()

    def _check_open(self) -> None:
        if self.draining:
            raise draining_error()

    def _start(self, client: Hashable, try_start: Callable[[], P | None]) -> Slot[P] | None:
        place = try_start() if self.in_use < self.total else None
        if place is None:
            return None
        self.in_use += 1
        self._running[client] = self._running.get(client, 0) + 1
        return Slot(self, client, place)

    def _start_waiting(self) -> None:
        while self.in_use < self.total and self._queue.start_next(self._running):
            pass

    def _wait(self, waiter: Waiter[Slot[P]], call: BackendCall) -> None:
        """Return when the wait of ``waiter`` has ended; raise if ``call`` fails or the time is over before."""
        record = current()
        phase, record.phase = record.phase, "queued"
        started_at, record.queue_seconds = time.perf_counter(), 0.0
        try:
            while not waiter.has_ended.wait(min(_WAIT_SECONDS, self._queue_seconds)):
                record.queue_seconds = time.perf_counter() - started_at
                call.check()  # without the lock, as it may send something to the client
                if record.queue_seconds >= self._queue_seconds:
                    raise ServerBusy(
                        f"server busy, please try again: no slot was free for {self._queue_seconds:g} s", retry_after=5
                    )
        except BaseException:
            with self._lock:
                has_ended = not self._queue.remove(waiter)
            if has_ended and waiter.failure is None:
                waiter.result.release()
            raise
        finally:
            record.phase, record.queue_seconds = phase, time.perf_counter() - started_at
        call.extend(record.queue_seconds)


@dataclass(slots=True, eq=False)
class Slot(Generic[P]):
    """One slot with its place, released exactly once; only :class:`Slots` makes them."""

    _slots: Slots
    client: Hashable
    place: P
    is_released: bool = False

    def __enter__(self) -> Slot[P]:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Release the slot; a second call does nothing."""
        self._slots.give_back(self)
