"""Detect a proxy loop: the backend's URL leads to our own listener, and each request would use up another thread."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from flask_shim.lmstudio.http.loopback import addresses_of
from flask_shim.serving.listeners import REACHED_AS, is_own_address

_PORTS = {"http": 80, "https": 443}


def is_own_listener(url: str, listeners: Iterable[socket.socket]) -> bool:
    """Return whether a request to ``url`` is certain to reach one of the listeners."""
    parts = urlsplit(url)
    port = parts.port or _PORTS[parts.scheme]
    bound = [listener.getsockname()[0] for listener in listeners if listener.getsockname()[1] == port]
    # Usually the port decides, and the name need not be resolved.
    address = _address(parts.hostname or "", port) if bound else ""
    return bool(address) and any(_takes(host, address) for host in bound)


def _address(host: str, port: int) -> str:
    """Return the address to which a connection is tried first, "" if the host can't be resolved."""
    first = addresses_of(host, port)[0]
    try:
        return str(socket.getaddrinfo(first, port, type=socket.SOCK_STREAM)[0][4][0])
    except OSError:
        return ""


def _takes(bound: str, address: str) -> bool:
    """Return whether a listener on ``bound`` receives what is sent to ``address``."""
    if bound not in REACHED_AS:
        return bound == address
    return (":" in bound) == (":" in address) and is_own_address(address)
