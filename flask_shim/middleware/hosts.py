"""By which names this server may be called: the defence against DNS rebinding. Pure but for the machine's own names."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable
from functools import cache, lru_cache

from flask_shim.config.addresses import is_address

_HEADER = re.compile(r"(?:\[([0-9a-f:.]+(?:%[0-9a-z._~-]+)?)\]|([a-z0-9_.-]+))(?::[0-9]{0,5})?")
_LONGEST = 300
"""No host is longer, and what is remembered of headers stays small."""

_SUFFIXES = (".localhost", ".local", ".internal")

_REMEMBERED = 256


def to_host(header: str) -> str | None:
    """Return the host of a Host header in lower case, without port, brackets and final dot; None for what is none."""
    is_sound = header.isascii() and len(header) <= _LONGEST
    match = _HEADER.fullmatch(header.lower()) if is_sound else None
    if match is None:
        return None
    literal, name = match.groups()
    if literal is not None:
        return str(literal) if ":" in literal and is_address(literal) else None
    return str(name).removesuffix(".") or None


class Hosts:
    """The hosts that a request may name."""

    def __init__(self, names: Iterable[str], *, machine: str = "", fqdn: Callable[[], str] = str) -> None:
        """Allow ``names``, ``machine`` and Ollama's own names; ``fqdn`` may be slow and is called only when needed."""
        machine = machine.lower().rstrip(".")
        self._short = machine.partition(".")[0]
        self._names = frozenset({"localhost", *names, machine, self._short} - {""})
        self._fqdn = fqdn
        self.allows = lru_cache(_REMEMBERED)(self._allows)
        """Whether a host, as :func:`to_host` gives it, is allowed."""

    def _allows(self, host: str) -> bool:
        # DNS rebinding needs a name: an address in the Host header proves that the page already used the address.
        return host in self._names or host.endswith(_SUFFIXES) or is_address(host) or self._is_full_name(host)

    def _is_full_name(self, host: str) -> bool:
        # Looking up the full name may take seconds, so only a host that could be it is worth that.
        return bool(self._short) and host.startswith(f"{self._short}.") and host == self._fqdn()


def hosts_of_this_machine(names: Iterable[str]) -> Hosts:
    """Return the rule with this machine's names; nothing is looked up before a request needs it."""
    return Hosts(names, machine=socket.gethostname(), fqdn=full_name)


@cache
def full_name() -> str:
    """Return the machine's full name as DNS or the hosts file have it, in lower case."""
    return socket.getfqdn().lower().rstrip(".")
