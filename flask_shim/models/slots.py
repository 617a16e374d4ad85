"""Permission to hold a worker thread for a generation: fewer than there are threads, refused at once when gone."""

from __future__ import annotations

import threading

from flask_shim.errors import ServerBusy

BUSY = "server busy, please try again.  maximum pending requests exceeded"
"""Ollama's words, both spaces included: clients look for "busy"."""


DRAINING = "server is shutting down, please try again later"


def draining_error() -> ServerBusy:
    """Return the refusal of a shim that was told to stop; its next run is a matter of seconds."""
    return ServerBusy(DRAINING, retry_after=5)


class Slots:
    """A fixed number of slots, and a switch that stops giving them out."""

    def __init__(self, total: int) -> None:
        """Allow ``total`` generations at once."""
        self.total = total
        self.in_use = 0
        self.draining = False
        self.is_stopping = False
        """Whether the shim is about to drain: ``/ready`` says 503 while work is still accepted."""
        self.server_noticed = False
        """Whether the server's threads have been looked at, see :mod:`flask_shim.middleware.server_check`."""
        self._lock = threading.Lock()

    def take(self) -> Slot:
        """Take a slot; raise Busy when there is none."""
        with self._lock:
            if self.draining:
                raise draining_error()
            if self.in_use >= self.total:
                raise ServerBusy(BUSY, retry_after=1)
            self.in_use += 1
        return Slot(self)

    def limit(self, total: int) -> None:
        """Give out no more than ``total`` from now on; what is out stays out."""
        with self._lock:
            self.total = min(self.total, total)

    def drain(self) -> None:
        """Give out no more slots."""
        with self._lock:
            self.draining = self.is_stopping = True

    def give_back(self) -> None:
        """Take back one slot; only :class:`Slot` calls this."""
        with self._lock:
            self.in_use -= 1


class Slot:
    """One slot, given back exactly once."""

    __slots__ = ("_lock", "_slots")

    def __init__(self, slots: Slots) -> None:
        """Only :meth:`Slots.take` makes them."""
        self._slots: Slots | None = slots
        self._lock = threading.Lock()

    def __enter__(self) -> Slot:
        """Hold the slot for a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        self.release()

    def release(self) -> None:
        """Give the slot back; a second time does nothing."""
        with self._lock:
            slots, self._slots = self._slots, None
        if slots is not None:
            slots.give_back()
