"""Open the listening sockets before anything else runs, or explain why that is impossible."""

from __future__ import annotations

import errno
import logging
import socket
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from flask_shim.config import Config
from flask_shim.config.addresses import EVERYWHERE, LOOPBACKS, bracketed, is_address, is_loopback
from flask_shim.serving.port_probe import how_to_stop, identify_server

log = logging.getLogger(__name__)

BACKLOG = 1024
PORT_TRIES = 10

REACHED_AS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to connect to, not to bind
"""The address at which this machine reaches a wildcard listener."""

NO_IPV6 = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class BindError(Exception):
    """The shim cannot listen on the configured address; the text says why, and what to do."""


class Place(NamedTuple):
    """An address to listen on, as ``bind()`` takes it."""

    family: socket.AddressFamily
    address: tuple[Any, ...]

    @property
    def host(self) -> str:
        """The address without its port."""
        return str(self.address[0])

    @property
    def port(self) -> int:
        """The port; 0 is any free one."""
        return int(self.address[1])

    def at(self, port: int) -> Place:
        """Return the same address with another port."""
        return self._replace(address=(self.address[0], port, *self.address[2:]))


def open_listeners(config: Config) -> list[socket.socket]:
    """Listen on all addresses of ``config``; the caller closes the sockets.

    Port 0 becomes one free port for all of them. Without IPv6 its loopback and wildcard are left out. Raises BindError
    without leaving a socket open when an address is taken or is not one of this machine's.
    """
    places = list(_places(config.hosts, config.port))
    if config.port:
        for place in places:
            _check_free(place)
        return _open_all(places)
    for _ in range(PORT_TRIES - 1):
        try:
            return _open_all(places)
        except BindError as exc:
            # The port was free on the first address but not on all.
            log.debug("%s", exc)
    return _open_all(places)


def urls_of(listeners: Iterable[socket.socket]) -> list[str]:
    """Return the URLs at which this machine reaches the listeners."""
    names = [listener.getsockname() for listener in listeners]
    return [f"http://{bracketed(REACHED_AS.get(name[0], name[0]))}:{name[1]}" for name in names]


def hosts_from_here(hosts: Iterable[str]) -> list[str]:
    """Return the loopback addresses, and the others at which this machine reaches listeners on ``hosts``."""
    named = (REACHED_AS.get(host, host) for host in hosts if host not in (EVERYWHERE, "localhost"))
    return list(dict.fromkeys((*LOOPBACKS, *named)))


def _places(hosts: Sequence[str], port: int) -> Iterable[Place]:
    seen: set[str] = set()
    for host in hosts:
        try:
            found = socket.getaddrinfo(
                None if host == EVERYWHERE else host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
        except OSError as exc:
            raise BindError(f"SHIM_HOST: {host} can't be looked up: {exc.strerror}.") from exc
        for family, _, _, _, address in found:
            if str(address[0]) not in seen:
                seen.add(str(address[0]))
                yield Place(family, address)


def _check_free(place: Place) -> None:
    if place.host not in REACHED_AS and not is_own_address(place.host):
        return  # another machine's server may answer there; bind() fails
    # Windows lets two programs share a port, and each gets a part of the requests.
    who = identify_server(REACHED_AS.get(place.host, place.host), place.port)
    if who is not None:
        raise BindError(_taken(place, who))


def is_own_address(address: str) -> bool:
    """Return whether an address is one of this machine's, which is so if a socket can be bound to it."""
    if is_address(address) and is_loopback(address):
        return True
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def _open_all(places: Iterable[Place]) -> list[socket.socket]:
    with ExitStack() as unless_all:
        listeners: list[socket.socket] = []
        for place in places:
            port = place.port or (listeners[0].getsockname()[1] if listeners else 0)
            listener = _open(place.at(port), is_needed=not listeners)
            if listener is not None:
                listeners.append(unless_all.enter_context(listener))
        unless_all.pop_all()
    return listeners


def _open(place: Place, *, is_needed: bool) -> socket.socket | None:
    try:
        return listen(place)
    except OSError as exc:
        if exc.errno in NO_IPV6 and place.host in ("::1", "::") and not is_needed:
            log.debug("not listening on %s: this machine has no IPv6", place.host)
            return None
        raise BindError(_refused(place, exc)) from exc


def listen(place: Place) -> socket.socket:
    """Listen on an address that no other program may share; raise OSError if that fails."""
    listener = socket.socket(place.family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if place.family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(place.address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _taken(place: Place, who: str) -> str:
    other = _free_port_near(place) or 0  # 0 is any free port
    return (
        f"Port {place.port} on {place.host} is taken: {who} is already running there.\n"
        f"{how_to_stop(who)}, or give the shim another port: SHIM_PORT={other} or --port {other}."
    )


def _free_port_near(place: Place) -> int | None:
    """Return a port near that of ``place`` that is free there and on both loopback addresses."""
    places = (place, Place(socket.AF_INET, ("127.0.0.1", 0)), Place(socket.AF_INET6, ("::1", 0)))
    nearby = (*range(place.port + 1, place.port + PORT_TRIES), *range(place.port - 1, place.port - PORT_TRIES, -1))
    candidates = (port for port in nearby if 0 < port <= 65_535)
    return next((port for port in candidates if all(_is_free(each.at(port)) for each in places)), None)


def _is_free(place: Place) -> bool:
    try:
        listen(place).close()
    except OSError as exc:
        return exc.errno in NO_IPV6 and place.family == socket.AF_INET6
    return True


def _refused(place: Place, exc: OSError) -> str:
    where = f"{bracketed(place.host)}:{place.port}"
    if exc.errno == errno.EADDRINUSE:
        return _taken(place, "another program")
    if exc.errno == errno.EADDRNOTAVAIL:
        return f"Can't listen on {where}: this machine has no such address. Change SHIM_HOST."
    if exc.errno == errno.EACCES:
        return (
            f"Can't listen on {where}: the system does not allow it. Ports below 1024 need rights; Windows also\n"
            "reserves ports (netsh interface ipv4 show excludedportrange tcp lists them). Choose another SHIM_PORT."
        )
    return f"Can't listen on {where}: {exc.strerror}."
