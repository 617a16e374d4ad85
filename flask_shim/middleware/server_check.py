"""What a server we did not start ourselves was started with: a bare ``waitress-serve`` has four threads."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

from flask import Flask, request

from flask_shim.config import SPARE_THREADS
from flask_shim.models.slots import Slots

log = logging.getLogger(__name__)

KEPT_THREADS = 2
"""Threads that generations never get, so that lists and health are answered whatever runs."""

_look = threading.Lock()


class Found(NamedTuple):
    """waitress' settings, as far as they can be seen."""

    threads: int
    lookahead: int


def init_app(app: Flask, slots: Slots) -> None:
    """Have ``app`` look at its server at the first request."""

    @app.before_request
    def notice() -> None:
        notice_server(request.environ, slots)


def notice_server(environ: Mapping[str, Any], slots: Slots) -> None:
    """Look once, at the first request, at what serves it; give out fewer slots than it has threads, and say so.

    Servers other than waitress tell nothing and change nothing.
    """
    if slots.server_noticed:
        return
    with _look:
        if slots.server_noticed:
            return
        slots.server_noticed = True
    found = find_waitress(environ)
    if found is not None:
        _adapt(found, slots)


def find_waitress(environ: Mapping[str, Any]) -> Found | None:
    """Return what the waitress behind this request is set to, None if it is none or does not show it."""
    # The check is a method of the connection, and that knows its server's settings: the only way there is.
    channel = getattr(environ.get("waitress.client_disconnected"), "__self__", None)
    adjustments = getattr(channel, "adj", None)
    threads = getattr(adjustments, "threads", None)
    lookahead = getattr(adjustments, "channel_request_lookahead", None)
    if isinstance(threads, int) and isinstance(lookahead, int):
        return Found(threads, lookahead)
    return None


def _adapt(found: Found, slots: Slots) -> None:
    complaints: list[str] = []
    options: list[str] = []
    if found.threads <= slots.total:
        options.append(f"--threads={slots.total + SPARE_THREADS}")
        slots.limit(max(1, found.threads - KEPT_THREADS))
        complaints.append(f"with {found.threads} threads only {slots.total} generations can run at the same time")
    if found.lookahead < 1:
        options.append("--channel-request-lookahead=1")
        complaints.append("without look-ahead a client that hangs up is noticed late, and the model works on meanwhile")
    if complaints:
        log.warning("waitress: %s; start it with %s", "; ".join(complaints), " ".join(options))
