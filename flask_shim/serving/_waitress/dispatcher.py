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


_Inbox = SimpleQueue[Task | None]
"""Of one thread: its next task; None ends it."""


class TaskDispatcher:
    """Gives each task to the idle thread that was busy last, whose stack and data are in the processor's caches."""

    def __init__(self, threads: int) -> None:
        """Start the threads."""
        self._lock = Lock()
        self._idle: list[_Inbox] = []
        self._waiting: deque[Task] = deque()
        self._is_stopping = False
        self._threads = [Thread(target=self._work, name=f"waitress-{number}", daemon=True) for number in range(threads)]
        for thread in self._threads:
            thread.start()

    @property
    def is_idle(self) -> bool:
        """Whether no task waits or runs."""
        with self._lock:
            return len(self._idle) == len(self._threads)

    def add_task(self, task: Task) -> None:
        """Wake a thread for a task; without an idle one the task waits."""
        with self._lock:
            if not self._idle:
                self._waiting.append(task)
                return
            inbox = self._idle.pop()
        inbox.put(task)

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
            if self._waiting:
                return self._waiting.popleft()
            if self._is_stopping:
                return None
            self._idle.append(inbox)
        return inbox.get()
