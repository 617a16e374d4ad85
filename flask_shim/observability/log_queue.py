"""Write the log on a thread, so that requests never wait for a console, a pipe or a disk.

A Windows console blocks its writers while text in it is selected, and so does a pipe that is not read.
"""

from __future__ import annotations

import logging
import os
import time
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue
from threading import Event
from typing import Any
from weakref import WeakSet

log = logging.getLogger(__name__)

MAX_WAITING = 20_000
"""Lines that wait for a target that accepts none; further ones are dropped and counted."""

GATHER_SECONDS = 0.02
"""How long lines gather after one was written: waking the thread for each would cost more than writing it."""

MOST_AT_ONCE = 100
"""How many lines are written together; a file is rotated between such blocks."""

CLOSE_SECONDS = 2.0
"""How long the end of the process waits for the log to be written."""


_handlers: WeakSet[QueuedHandler] = WeakSet()


class QueuedHandler(QueueHandler):
    """Format records in the thread that logs, and write them to ``target`` in another one.

    Every target has its own queue and thread, so that one that is stuck does not delay the others.
    """

    queue: SimpleQueue[Any]

    def __init__(self, target: logging.Handler) -> None:
        """Take over ``target``; closing this handler closes it."""
        # Not queue.Queue: a destructor that logs while this thread holds its mutex would wait for itself.
        super().__init__(SimpleQueue())
        self.target = target
        self._dropped = 0
        self._reported = 0
        self._is_closed = False
        self.begin()
        _handlers.add(self)

    def begin(self) -> None:
        """Start the thread, with an empty queue."""
        self.queue = SimpleQueue()
        self._writer = _Writer(self.queue, self.target)
        self._writer.start()

    def prepare(self, record: logging.LogRecord) -> str:
        """Return the line alone: the library would copy the record, and the target would format the copy again."""
        return self.format(record)

    def enqueue(self, line: Any) -> None:
        """Queue a line, or count it if the queue is full; the handler's lock is held."""
        if self.queue.qsize() >= MAX_WAITING:
            self._dropped += 1
            return
        self.queue.put_nowait(line)
        lost = self._dropped + self._writer.failures - self._reported
        if lost and not self._writer.is_failing:
            self._reported += lost
            log.warning("lines lost n=%d", lost)

    def flush(self) -> None:
        """Wait until all records so far are written, at most ``CLOSE_SECONDS``."""
        self.is_written()

    def is_written(self) -> bool:
        """Wait as :meth:`flush` does, and return whether they are written."""
        if self._is_closed:
            return True
        written = Event()
        self.queue.put_nowait(written)
        return written.wait(CLOSE_SECONDS)

    def close(self) -> None:
        """Write what waits and close the target; :func:`logging.shutdown` calls this at exit."""
        if not self._is_closed and self.is_written():
            self._is_closed = True
            self._writer.stop()  # waits without a limit, so only when the target accepts records
            self.target.close()
        super().close()


def _begin_in_child() -> None:
    """Give the handlers a thread again: a forked process, as of gunicorn --preload, has only the one that forked."""
    for handler in _handlers:
        handler.begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)


class _VerbatimFormatter(logging.Formatter):
    """Return the lines that a target got in place of a record."""

    def format(self, record: Any) -> str:
        return str(record)


class _Writer(QueueListener):
    """Write lines to one target, many at once, and set the events that wait between them."""

    def __init__(self, queue: SimpleQueue[Any], target: logging.Handler) -> None:
        super().__init__(queue, target)
        self._waiting = queue
        self._lines: list[str] = []
        self.failures = 0
        self.is_failing = False
        self._target = target
        target.setFormatter(_VerbatimFormatter())
        target.handleError = self._note_failure  # type: ignore[assignment, method-assign]  # else a full disk prints tracebacks

    def dequeue(self, block: bool) -> Any:
        if self._waiting.empty():
            self._write()
            time.sleep(GATHER_SECONDS)
        item = super().dequeue(block)
        if not isinstance(item, str):
            self._write()
        return item

    def handle(self, item: Any) -> None:
        if isinstance(item, Event):
            item.set()
            return
        self._lines.append(item)
        if len(self._lines) >= MOST_AT_ONCE:
            self._write()

    def _write(self) -> None:
        if not self._lines:
            return
        before, lines = self.failures, "\n".join(self._lines)
        self._target.handle(lines)  # type: ignore[arg-type]  # the text in place of a record
        self.is_failing = self.failures > before
        self._lines.clear()

    def _note_failure(self, _: logging.LogRecord) -> None:
        self.failures += len(self._lines)
        if not self.is_failing:
            log.error("the log can't be written to %s", self._target)
