"""Graceful shutdown: become not ready, reject new work, finish running requests, abort the rest with an error.

With ``drain_delay`` a load balancer is in front, which learns in this order that the shim stops: from ``/ready``, from
503 for new work, from refused connections. Each is answered before the next, so a request can fail in none of them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from flask_shim.models.slots import draining_error
from flask_shim.services import Services
from flask_shim.serving.server import Server

log = logging.getLogger(__name__)

ABORT_SECONDS = 2.0
"""How long aborted responses may take to send their error."""

FLUSH_SECONDS = 1.0
"""Minimum time for the last bytes to be sent."""

LEAVE_SECONDS = 1.0
"""How long proxies may take to leave after the listeners are closed; a request may be on its way until then."""

POLL_SECONDS = 0.02


def drain(services: Services, server: Server) -> None:
    """Shut down within ``drain_delay`` and ``drain_seconds``, then stop the server."""
    try:
        services.slots.is_stopping = True  # /ready answers 503
        server.start_draining()
        if services.config.drain_delay:
            # Work is still accepted, until load balancers have noticed.
            log.info("not ready seconds=%g", services.config.drain_delay)
            time.sleep(services.config.drain_delay)
        _finish_requests(services, server)
        if services.config.drain_delay:
            server.stop_listening()
            _wait(lambda: not server.count_connections(), LEAVE_SECONDS)
    finally:
        server.stop()


def _finish_requests(services: Services, server: Server) -> None:
    """Reject new work, wait for the running requests, and abort those that remain at the deadline."""
    seconds = services.config.drain_seconds
    deadline = time.monotonic() + seconds
    services.slots.drain()
    log.info("draining in_flight=%d seconds=%g", services.slots.in_use, seconds)
    aborted = 0
    if not _wait(lambda: not _count_running(services), seconds):
        aborted = _count_running(services)
        _abort(services)
    if not _wait(server.is_idle, max(FLUSH_SECONDS, deadline - time.monotonic())):
        aborted = max(aborted, server.count_unsent())
    log.info("drained aborted=%d", aborted)


def _count_running(services: Services) -> int:
    """Return the number of backend operations; loads and downloads are watched without holding a slot."""
    return max(services.slots.in_use, services.backends.watchdog.count_awaited())


def _abort(services: Services) -> None:
    def is_over() -> bool:
        # Repeated: a request that holds a slot but has not called the backend yet can't be canceled.
        services.backends.watchdog.cancel_all(draining_error())
        return not _count_running(services)

    if not _wait(is_over, ABORT_SECONDS):
        log.warning("still running in_flight=%d", _count_running(services))


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
