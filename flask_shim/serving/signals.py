"""Signals: the first one to stop shuts down gracefully, the second one at once; SIGHUP reads a file again."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType

from flask_shim.observability.logs import flush

log = logging.getLogger(__name__)

STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name))
"""Ctrl-C, a service manager's stop, and Ctrl-Break on Windows."""

RELOADING = tuple(getattr(signal, name) for name in ("SIGHUP",) if hasattr(signal, name))
"""What service managers send to make a server read its files again. Closing the terminal sends it, too."""

ECHO_SECONDS = 0.5
"""Another signal to stop within this time is part of the first: Ctrl-C reaches a whole group of processes, in which a
program that started the shim may send it SIGTERM."""


@contextmanager
def handle_signals(
    stop: Callable[[], object], reload: Callable[[], object], force: Callable[[], object] | None = None
) -> Iterator[None]:
    """Within the block, call ``stop`` on the first signal to stop; on the second call ``force`` and end the process.

    ``reload`` is called on each SIGHUP. All run on other threads. Only the main thread may enter the block.
    """
    # Unlike queue.Queue, SimpleQueue.put is reentrant, so signal handlers may call it.
    caught: SimpleQueue[tuple[int, float]] = SimpleQueue()

    def catch(number: int, _: FrameType | None) -> None:
        caught.put((number, time.monotonic()))

    before = {number: signal.signal(number, catch) for number in (*STOPPING, *RELOADING)}
    threading.Thread(target=_dispatch, args=(caught, stop, reload, force), name="shim-signals", daemon=True).start()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        caught.put((0, 0.0))


def _dispatch(
    caught: SimpleQueue[tuple[int, float]],
    stop: Callable[[], object],
    reload: Callable[[], object],
    force: Callable[[], object] | None,
) -> None:
    first: tuple[int, float] | None = None
    while (received := caught.get())[0]:
        number, at = received
        name = signal.Signals(number).name
        if number in RELOADING:
            log.info("reloading signal=%s", name)
            _start(reload, "shim-reload")
        elif first is None:
            first = received
            log.info("stopping signal=%s", name)
            _start(stop, "shim-stop")
        elif number == first[0] or at - first[1] > ECHO_SECONDS:
            log.warning("forced signal=%s", name)
            if force is not None:
                force()
            flush()
            # os._exit skips the interpreter's shutdown, which would wait for busy threads.
            os._exit(0)


def _start(action: Callable[[], object], name: str) -> None:
    try:
        threading.Thread(target=action, name=name, daemon=True).start()
    except RuntimeError as exc:  # as where a container may have no more threads
        log.warning("no thread for %s, signals wait until it is done: %s", name, exc)
        action()
