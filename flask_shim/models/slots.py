"""Slots for generations: fewer than the server has threads, and no waiting for one."""

from __future__ import annotations

import threading

from flask_shim.lmstudio.errors import ServerBusy

BUSY = "server busy, please try again.  maximum pending requests exceeded"
"""Ollama's text, including both spaces; clients look for "busy"."""

DRAINING = "server is shutting down, please try again later"


def draining_error() -> ServerBusy:
    """Return the error for new requests while the server shuts down."""
    return ServerBusy(DRAINING, retry_after=5)


class Slots:
    """A fixed number of slots, until :meth:`drain` closes admission."""

    def __init__(self, total: int) -> None:
        """Allow ``total`` generations at once."""
        self.total = total
        self.in_use = 0
        self.draining = False
        self.is_stopping = False
        """Whether the shim is about to drain: ``/ready`` returns 503, but requests are still accepted."""
        self.server_noticed = False
        """Whether :mod:`flask_shim.middleware.server_check` has checked the server's threads."""
        self._lock = threading.Lock()

    def take(self) -> Slot:
        """Take a slot; raise ServerBusy if none is free."""
        with self._lock:
            if self.draining:
                raise draining_error()
            if self.in_use >= self.total:
                raise ServerBusy(BUSY, retry_after=1)
            self.in_use += 1
        return Slot(self)

    def limit(self, total: int) -> None:
        """Lower the number of slots to ``total``; slots in use are not revoked."""
        with self._lock:
            self.total = min(self.total, total)

    def drain(self) -> None:
        """Admit no more requests."""
        with self._lock:
            self.draining = self.is_stopping = True

    def give_back(self) -> None:
        """Return one slot; only :class:`Slot` calls this."""
        with self._lock:
            self.in_use -= 1


class Slot:
    """One slot, released exactly once."""

    __slots__ = ("_lock", "_slots")

    def __init__(self, slots: Slots) -> None:
        """Only :meth:`Slots.take` creates slots."""
        self._slots: Slots | None = slots
        self._lock = threading.Lock()

    def __enter__(self) -> Slot:
        """Hold the slot for a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release it."""
        self.release()

    def release(self) -> None:
        """Release the slot; a second call does nothing."""
        with self._lock:
            slots, self._slots = self._slots, None
        if slots is not None:
            slots.give_back()
