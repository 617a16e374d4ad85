"""A word in the log where other machines are served without a key though nobody said that they shall be.

Our own server refuses to start so. Under another one the address is that server's affair: the shim learns of it from
the first request that comes from elsewhere.
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
    """Watch who asks ``app``, unless a key is asked for or everybody may come."""
    if not config.api_keys and not config.allow_open:
        app.before_request(OpenAccessWarning().look)


class OpenAccessWarning:
    """Looks at the address of each request until one has come from another machine."""

    def __init__(self) -> None:
        """Nothing has been seen yet."""
        self._first = threading.Lock()

    def look(self) -> None:
        """Warn, once, of a request from another machine; what is no address (a Unix socket) is none."""
        client = request.environ.get("REMOTE_ADDR") or ""
        if _is_another_machine(client) and self._first.acquire(blocking=False):
            log.warning(
                "client=%s is another machine, and is served without a key: set SHIM_API_KEY, "
                "or SHIM_ALLOW_OPEN=1 to serve them all on purpose",
                client,
            )


@lru_cache(maxsize=256)  # looked at with every request, and nearly always the same
def _is_another_machine(client: str) -> bool:
    if not is_address(client):
        return False
    address = ipaddress.ip_address(client)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return not is_loopback(str(mapped or address))
