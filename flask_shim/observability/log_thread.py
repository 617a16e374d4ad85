"""A thread that writes the log, so that requests never wait for a console, a pipe or a disk.

A Windows console blocks its writers while text in it is marked, and so does an unread pipe. Unlike the standard
library's QueueListener, the thread writes the lines that wait in one call, and its queue is bounded: further lines are
lost and counted.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.01
"""How long a line may wait for others to be written together with."""

MOST_WAITING = 20_000
"""Lines that are kept for a place that takes none; further ones are lost, and counted."""

CLOSE_SECONDS = 2.0
"""How long the end of the process waits for lines to be written."""

_MOST_TOGETHER = 16_384
"""Characters in one write: a file that is to stay small must not get much more at once."""


class LogThread(logging.Handler):
    """A handler that formats records where they come from, and has the lines written by a thread of its own.

    ``target`` gets finished lines, some of them together as one record. Each place has a thread of its own, so that one
    that stands still does not keep lines from another.
    """

    def __init__(self, target: logging.Handler) -> None:
        """Take over ``target``; closing this closes it."""
        super().__init__()
        self.target = target
        self.target.handleError = self._failed  # type: ignore[assignment, method-assign]  # else a full disk prints tracebacks
        self._waiting: SimpleQueue[str | threading.Event] = SimpleQueue()
        self._end = threading.Event()
        self._lost = 0
        self._losing = threading.Lock()
        self._is_failing = False
        self._thread = threading.Thread(target=self._run, name="shim-log", daemon=True)
        self._thread.start()

    def createLock(self) -> None:  # noqa: N802  the library's name
        """Do without: the queue takes lines from many threads at once."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Have the line of ``record`` written soon."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001  as all handlers of the library: the caller must not suffer from its log
            self.handleError(record)
            return
        if self._waiting.qsize() < MOST_WAITING:
            self._waiting.put(line)
        else:
            self._lose(1)

    def flush(self) -> None:
        """Wait until all lines so far are written, as far as that goes in time."""
        self.is_written()

    def is_written(self) -> bool:
        """Wait as :meth:`flush` does, and tell whether they are."""
        if not self._thread.is_alive():
            return True
        written = threading.Event()
        self._waiting.put(written)
        return written.wait(CLOSE_SECONDS)

    def close(self) -> None:
        """Write what is waiting, as far as that goes in time, and close the target; logging does it at exit."""
        self._waiting.put(self._end)
        self._thread.join(CLOSE_SECONDS)
        if not self._thread.is_alive():  # else it holds the lock of the target that it waits for
            self.target.close()
        super().close()

    def _run(self) -> None:
        while not self._end.is_set():
            first = self._waiting.get()
            if isinstance(first, str):
                time.sleep(GATHER_SECONDS)
            lines, mark = self._gathered(first)
            if lines:
                self._write(lines)
            if mark is not None:
                mark.set()

    def _gathered(self, first: str | threading.Event) -> tuple[list[str], threading.Event | None]:
        """Return ``first`` and what waits behind it, up to a mark or to as much as is written together."""
        lines: list[str] = []
        size = 0
        with suppress(Empty):
            item = first
            while isinstance(item, str):
                lines.append(item)
                size += len(item)
                if size >= _MOST_TOGETHER:
                    return lines, None
                item = self._waiting.get_nowait()
            return lines, item
        return lines, None

    def _write(self, lines: list[str]) -> None:
        was_failing, self._is_failing = self._is_failing, False
        self.target.handle(logging.makeLogRecord({"msg": "\n".join(lines)}))
        if self._is_failing:
            self._lose(len(lines))
            if not was_failing:
                log.error("the log can't be written to %s", self.target)
        else:
            self._tell_lost()

    def _failed(self, _: logging.LogRecord) -> None:
        self._is_failing = True

    def _lose(self, count: int) -> None:
        with self._losing:
            self._lost += count

    def _tell_lost(self) -> None:
        with self._losing:
            lost, self._lost = self._lost, 0
        if lost:
            log.warning("lines lost n=%d", lost)
