"""waitress' loop over epoll, where an event costs the same with one connection and with a thousand."""

from __future__ import annotations

import select
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from waitress import wasyncore

if sys.platform != "linux":
    raise ImportError("only Linux has epoll")

SWEEP_SECONDS = 1.0
"""How often all connections are asked, as some are closed by time alone."""


class EpollLoop:
    """Takes the place of the module ``wasyncore`` in a server.

    That asks every connection before every wait whether it wants to read or to write. Here only those are asked that
    had an event, and those in :attr:`changed`.
    """

    def __init__(self, before_wait: Callable[[], float | None]) -> None:
        """Wait for nothing yet. ``before_wait`` is called before each wait, and may return how long it may take."""
        self._before_wait = before_wait
        self._epoll = select.epoll()
        self.changed: deque[Any] = deque()
        """New connections, and those that another thread changed before it wakes the loop."""
        self._full: list[Any] = []  # listeners that accept nothing until a connection is closed

    def loop(self, *, timeout: float, map: dict[int, Any], use_poll: bool) -> None:  # noqa: A002, ARG002  waitress' names
        """Serve until ``map`` is empty."""
        sweep_at = 0.0
        with self._epoll:
            while map:
                if (now := time.monotonic()) >= sweep_at:
                    self.changed.extend(map.values())
                    sweep_at = now + SWEEP_SECONDS
                while self.changed:
                    self._register(self.changed.popleft())
                seconds = self._before_wait()
                for number, flags in self._epoll.poll(timeout if seconds is None else seconds):
                    if (each := map.get(number)) is not None:  # otherwise an earlier event has closed it
                        wasyncore.readwrite(each, flags)
                        self.changed.append(each)

    def _register(self, each: Any) -> None:
        """Wait for what a connection wants; a closed one has no number, and epoll has forgotten it."""
        number, before = each._fileno, getattr(each, "epoll_flags", 0)
        if number is None:
            self.changed.extend(self._full)
            self._full.clear()
            return
        wanted = select.EPOLLIN | select.EPOLLPRI if each.readable() else 0
        if each.writable() and not each.accepting:
            wanted |= select.EPOLLOUT
        if wanted == before:
            return
        each.epoll_flags = wanted
        if not wanted:
            self._epoll.unregister(number)
            if each.accepting:
                self._full.append(each)
        elif before:
            self._epoll.modify(number, wanted)
        else:
            self._epoll.register(number, wanted)
