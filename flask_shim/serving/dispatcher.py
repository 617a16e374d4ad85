"""Which thread answers a request: one of the workers, or for what is ready the one that has read it.

Handing a request over and waking a thread takes longer than an answer that is only a few bytes; and such an answer
should come even if all workers wait for something.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from waitress.task import ThreadedTaskDispatcher

from flask_shim.serving.channel import Channel

IsReady = Callable[[Any], bool]
"""Tells of a request, as waitress has parsed it, whether answering it takes only microseconds, whatever happens."""


class Dispatcher(ThreadedTaskDispatcher):  # type: ignore[misc]  # waitress has no types
    """waitress' threads, for whatever is not ready."""

    def __init__(self, threads: int, is_ready: IsReady) -> None:
        """Start ``threads`` workers."""
        super().__init__()
        self._is_ready = is_ready
        self.set_thread_count(threads)

    def add_task(self, task: Channel) -> None:
        """Have the first request of a connection answered."""
        request = task.requests[0]
        if request.error or not self._is_ready(request) or not task.claim():
            super().add_task(task)
