"""Ending waitress' loop from another thread."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event
from typing import Any


def shut_down(listening: Sequence[Any], *, seconds: float) -> None:
    """Have the thread that runs waitress' loop close every connection and listener, with which the loop ends.

    ``listening`` are the ``TcpWSGIServer`` objects of one loop and one dispatcher. Workers have ``seconds`` to come to
    their end; those that hang end with the process. Returns before the loop has ended; at most once for each loop.
    """
    # Sockets belong to the thread that waits on them, so it closes them itself. It may be awake for another reason and
    # find this before the pull, which would then go to a descriptor that is closed, or somebody else's by now.
    is_pulled = Event()

    def close() -> None:
        is_pulled.wait()
        _close(listening, seconds)

    try:
        listening[0].trigger.pull_trigger(close)
    finally:
        is_pulled.set()


def _close(listening: Sequence[Any], seconds: float) -> None:
    for channel in [channel for each in listening for channel in list(each.active_channels.values())]:
        channel.handle_close()
    # The last thing a worker does is to wake the loop, and what it does that with is closed with the listener.
    listening[0].task_dispatcher.shutdown(timeout=seconds)
    for each in listening:
        each.close()
