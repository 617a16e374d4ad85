"""Check how a WSGI server was started that is not ours: its threads, its limits, and whether it serves other machines.

Plain ``waitress-serve`` has four threads. Our own server refuses to start on a wide address without a key; that of
another server is unknown until a request arrives.
"""

from __future__ import annotations

import ipaddress
import logging
import sys
import threading
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from flask import Flask

from flask_shim.config import SPARE_THREADS, Config
from flask_shim.config.addresses import is_address, is_loopback
from flask_shim.config.validation import WINDOWS_CONNECTIONS
from flask_shim.models.slots import Slots
from flask_shim.services import services_of

log = logging.getLogger(__name__)

RESERVED_THREADS = 2
"""Threads that generations never get, so that lists and health checks are always answered."""

_lock = threading.Lock()

Environ = Mapping[str, Any]


class WaitressSettings(NamedTuple):
    """The settings of waitress that matter here."""

    threads: int
    lookahead: int
    connections: int
    hides_proxies: bool


def build_check(app: Flask, config: Config) -> Callable[[Environ], None]:
    """Return the check of the server at the first request, and of client addresses until the first remote one."""
    slots = services_of(app).slots
    is_first_remote = threading.Lock()
    may_be_open = bool(config.api_keys) or config.allow_open

    def check(environ: Environ) -> None:
        check_server(environ, slots)
        client = environ.get("REMOTE_ADDR") or ""  # the peer of a Unix socket has no address
        if not may_be_open and _is_remote(client) and is_first_remote.acquire(blocking=False):
            log.warning(
                "client=%s is another machine and is served without a key: set SHIM_API_KEY, "
                "or SHIM_ALLOW_OPEN=1 to allow this",
                client,
            )

    return check


def check_server(environ: Environ, slots: Slots) -> None:
    """At the first request, limit the slots to the threads of waitress and warn of its settings, if it is waitress."""
    if slots.server_noticed:
        return
    with _lock:
        if slots.server_noticed:
            return
        slots.server_noticed = True
    found = find_waitress(environ)
    if found is not None:
        _limit_and_warn(found, slots)


def find_waitress(environ: Environ) -> WaitressSettings | None:
    """Return the settings of the waitress that serves this request, None if it is another server."""
    # waitress shows its settings nowhere else: this callable of the environ is a method of its channel.
    channel = getattr(environ.get("waitress.client_disconnected"), "__self__", None)
    adjustments = getattr(channel, "adj", None)
    names = ("threads", "channel_request_lookahead", "connection_limit", "clear_untrusted_proxy_headers")
    values = [value for name in names if isinstance(value := getattr(adjustments, name, None), int)]
    if len(values) < len(names):
        return None
    threads, lookahead, connections, hides_proxies = values
    return WaitressSettings(threads, lookahead, connections, bool(hides_proxies))


def _limit_and_warn(found: WaitressSettings, slots: Slots) -> None:
    problems: list[str] = []
    options: list[str] = []
    needed = slots.total + slots.max_waiting + SPARE_THREADS
    if found.threads <= slots.total:
        slots.limit(max(1, found.threads - RESERVED_THREADS), 0)
        problems.append(f"with {found.threads} threads only {slots.total} generations can run at the same time")
    elif slots.max_waiting > (most := max(0, found.threads - slots.total - RESERVED_THREADS)):
        slots.limit(slots.total, most)
        problems.append(f"with {found.threads} threads only {most} requests can wait for a slot")
    if problems:
        options.append(f"--threads={needed}")
    if found.lookahead < 1:
        options.append("--channel-request-lookahead=1")
        problems.append("without look-ahead a disconnected client is noticed late, and its generation goes on")
    if found.hides_proxies:
        options.append("--no-clear-untrusted-proxy-headers")
        problems.append("clients of a proxy look like this machine's, so the inspector is closed without a key")
    if sys.platform == "win32" and found.connections > WINDOWS_CONNECTIONS:
        options.append(f"--connection-limit={WINDOWS_CONNECTIONS}")
        problems.append("more than 512 connections end the server on Windows")
    if problems:
        log.warning("waitress: %s; start it with %s", "; ".join(problems), " ".join(options))


@lru_cache(maxsize=256)  # runs for every request, nearly always with the same address
def _is_remote(client: str) -> bool:
    if not is_address(client):
        return False
    address = ipaddress.ip_address(client)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return not is_loopback(str(mapped or address))
