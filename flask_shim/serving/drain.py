"""Stopping without cutting anybody off: no new work, time for what runs, then one error line for what is left."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from flask_shim.models.slots import draining_error
from flask_shim.services import Services
from flask_shim.serving.server import Server

log = logging.getLogger(__name__)

CUT_SECONDS = 2.0
"""How long an answer may take to say that it was cut."""

FLUSH_SECONDS = 1.0
"""How long the last bytes may take on their way out where no other time is left."""

POLL_SECONDS = 0.02


def drain(services: Services, server: Server) -> None:
    """Refuse new work, let running work end for at most ``drain_seconds``, then stop the server."""
    try:
        _drain(services, server)
    finally:
        server.stop()


def _drain(services: Services, server: Server) -> None:
    seconds = services.config.drain_seconds
    deadline = time.monotonic() + seconds
    services.slots.drain()
    log.info("draining in_flight=%d seconds=%g", services.slots.in_use, seconds)
    cut = 0
    if not _wait(lambda: not _running(services), seconds):
        cut = _running(services)
        _cut(services)
    if not _wait(server.is_idle, max(FLUSH_SECONDS, deadline - time.monotonic())):
        cut = max(cut, server.unsent())
    log.info("drained cut=%d", cut)


def _running(services: Services) -> int:
    """How much is going on at the backend: generations have slots, loads and downloads are only watched."""
    return max(services.slots.in_use, len(services.backend.watchdog))


def _cut(services: Services) -> None:
    def is_over() -> bool:
        # Again and again: what had its slot but had not asked the backend yet wasn't there to be cut.
        services.backend.watchdog.cancel_all(draining_error())
        return not _running(services)

    if not _wait(is_over, CUT_SECONDS):
        log.warning("still running n=%d", _running(services))


def _wait(is_so: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
