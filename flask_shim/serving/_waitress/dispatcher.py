"""The threads that answer requests, in place of waitress' dispatcher, which wakes the one that has slept longest."""

from __future__ import annotations

import logging
import time
from collections import deque
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Protocol

log = logging.getLogger(__name__)


class Task(Protocol):
    """What a thread does; a channel with a request is one."""

    def service(self) -> None:
        """Do it."""

    def cancel(self) -> None:
        """Give it up before it began."""


START_SECONDS = 0.001
"""How long after a task the next one begins, unless the first ends sooner; no poll of the loop can wait for less."""

MANY = 16
"""How many tasks must wait so that two begin at a time, which keeps one processor busy."""

_Inbox = SimpleQueue[Task | None]
"""Of one thread: its next task; None ends it."""


class TaskDispatcher:
    """Gives each task to the idle thread that was busy last, whose stack and data are in the processor's caches.

    Tasks that arrive together begin one after another. Otherwise their threads would compete for Python's lock: chats
    of eight clients took a fifth more CPU, lists of models a third.
    """

    def __init__(self, threads: int, start_seconds: float = 0.0) -> None:
        """Start the threads. With ``start_seconds`` between tasks, :meth:`start_waiting` must be called."""
        self._lock = Lock()
        self._idle: list[_Inbox] = []
        self._waiting: deque[Task] = deque()
        self._start_seconds = start_seconds
        self._begun_at: dict[_Inbox, float] = {}
        """When tasks began that have not ended, the oldest first; only those of the last moment count."""
        self._is_stopping = False
        self._threads = [Thread(target=self._work, name=f"waitress-{number}", daemon=True) for number in range(threads)]
        for thread in self._threads:
            thread.start()

    @property
    def is_idle(self) -> bool:
        """Whether no task waits or runs."""
        with self._lock:
            return len(self._idle) == len(self._threads) and not self._waiting

    def add_task(self, task: Task) -> None:
        """Wake a thread for a task, or let the task wait for its turn."""
        with self._lock:
            self._waiting.append(task)
            self._wake_threads()

    def start_waiting(self) -> float | None:
        """Wake threads for tasks whose turn has come; return after how many seconds to call it again, if at all."""
        if not self._waiting:
            return None
        with self._lock:
            return self._wake_threads()

    def _wake_threads(self) -> float | None:
        while self._waiting and self._idle:
            if self._is_crowded():
                return self._start_seconds
            inbox = self._idle.pop()
            self._begun_at[inbox] = time.monotonic()
            inbox.put(self._waiting.popleft())
        return None

    def _is_crowded(self) -> bool:
        """Return whether a task began a moment ago, or two while many wait."""
        long_ago = time.monotonic() - self._start_seconds
        for inbox, begun_at in tuple(self._begun_at.items()):
            if begun_at > long_ago:
                break
            del self._begun_at[inbox]
        most = 2 if len(self._waiting) >= MANY else 1
        return len(self._begun_at) >= most

    def shutdown(self, timeout: float = 5.0) -> None:
        """Give up the tasks that wait, end the threads, and wait at most ``timeout`` seconds for busy ones."""
        with self._lock:
            self._is_stopping = True
            waiting, self._waiting = self._waiting, deque()
            for inbox in self._idle:
                inbox.put(None)
        for task in waiting:
            task.cancel()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if running := sum(thread.is_alive() for thread in self._threads):
            log.warning("%d thread(s) still running", running)

    def _work(self) -> None:
        inbox: _Inbox = SimpleQueue()
        while (task := self._next(inbox)) is not None:
            try:
                task.service()
            except BaseException:
                log.exception("a request could not be answered")

    def _next(self, inbox: _Inbox) -> Task | None:
        with self._lock:
            self._begun_at.pop(inbox, None)
            if self._waiting:
                self._begun_at[inbox] = time.monotonic()
                return self._waiting.popleft()
            if self._is_stopping:
                return None
            self._idle.append(inbox)
        return inbox.get()
