"""Stop signals: the first one shuts down gracefully, the second one at once."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType

from flask_shim.observability.logs import flush

log = logging.getLogger(__name__)

STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name))
"""Ctrl-C, a service manager's stop, and Ctrl-Break on Windows."""

IGNORED = tuple(getattr(signal, name) for name in ("SIGHUP",) if hasattr(signal, name))
"""Closing the terminal does not stop the server."""


@contextmanager
def stop_signals(stop: Callable[[], None], force: Callable[[], None] | None = None) -> Iterator[None]:
    """Within the block, call ``stop`` on the first signal; on the second call ``force`` and end the process.

    Both run on other threads. Only the main thread may enter the block.
    """
    # Unlike queue.Queue, SimpleQueue.put is reentrant, so signal handlers may call it.
    caught: SimpleQueue[int] = SimpleQueue()

    def catch(number: int, _: FrameType | None) -> None:
        caught.put(number)

    before = {number: signal.signal(number, catch) for number in STOPPING}
    before |= {number: signal.signal(number, signal.SIG_IGN) for number in IGNORED}
    threading.Thread(target=_obey, args=(caught, stop, force), name="shim-signals", daemon=True).start()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        caught.put(0)


def _obey(caught: SimpleQueue[int], stop: Callable[[], None], force: Callable[[], None] | None) -> None:
    number = caught.get()
    if not number:
        return
    log.info("stopping signal=%s", signal.Signals(number).name)
    threading.Thread(target=stop, name="shim-stop", daemon=True).start()
    number = caught.get()
    if number:
        log.warning("forced signal=%s", signal.Signals(number).name)
        if force is not None:
            force()
        flush()
        # os._exit skips the interpreter's shutdown, which would wait for busy threads.
        os._exit(0)
