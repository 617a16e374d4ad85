"""Where the backend's name leads.

``localhost`` is ``::1`` first on most systems, and LM Studio listens on 127.0.0.1 only; on Windows it takes up to two
seconds per connection until an attempt at ``::1`` fails. So both loopbacks are tried, the last one that worked first.
"""

from __future__ import annotations

_LOOPBACKS = ("127.0.0.1", "::1")

_last_reached: dict[int, str] = {}
"""The loopback that was reached last, by port."""


def addresses_of(host: str, port: int) -> tuple[str, ...]:
    """Return what to connect to for ``host``, one after the other; all but ``localhost`` stands for itself."""
    if host.lower() != "localhost":
        return (host,)
    return tuple(sorted(_LOOPBACKS, key=lambda address: address != _last_reached.get(port, _LOOPBACKS[0])))


def note_reached(host: str, port: int, address: str) -> None:
    """Remember that ``address`` is where ``host`` was reached."""
    if address != host:
        _last_reached[port] = address
