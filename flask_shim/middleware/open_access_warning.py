"""Warn once when a remote client is served without an API key.

Our own server refuses to start like that. Under another server the bind address is unknown until a request arrives.
"""

from __future__ import annotations

import ipaddress
import logging
import threading
from functools import lru_cache

from flask import Flask, request

from flask_shim.config import Config
from flask_shim.config.addresses import is_address, is_loopback

log = logging.getLogger(__name__)


def init_app(app: Flask, config: Config) -> None:
    """Watch client addresses, unless a key is required or open access is configured."""
    if not config.api_keys and not config.allow_open:
        app.before_request(OpenAccessWarning().check_client)


class OpenAccessWarning:
    """Checks client addresses until the first remote one."""

    def __init__(self) -> None:
        """Start with the warning still to be given."""
        self._first = threading.Lock()

    def check_client(self) -> None:
        """Warn of the first request from another machine; the peer of a Unix socket has no address."""
        client = request.environ.get("REMOTE_ADDR") or ""
        if _is_remote(client) and self._first.acquire(blocking=False):
            log.warning(
                "client=%s is another machine and is served without a key: set SHIM_API_KEY, "
                "or SHIM_ALLOW_OPEN=1 to allow this",
                client,
            )


@lru_cache(maxsize=256)  # runs for every request, nearly always with the same address
def _is_remote(client: str) -> bool:
    if not is_address(client):
        return False
    address = ipaddress.ip_address(client)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return not is_loopback(str(mapped or address))
