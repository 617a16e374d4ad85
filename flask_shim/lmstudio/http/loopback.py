"""The loopback addresses that ``localhost`` stands for."""

from __future__ import annotations

_LOOPBACKS = ("127.0.0.1", "::1")

last_reached: dict[int, str] = {}
"""The loopback address that was reached last, by port."""


def addresses_of(host: str, port: int) -> tuple[str, ...]:
    """Return the addresses to try for ``host``, in order: both loopback addresses for ``localhost``, otherwise itself.

    ``localhost`` is ``::1`` first on most systems, but LM Studio listens on 127.0.0.1 only, and on Windows it takes up
    to two seconds until an attempt at ``::1`` fails.
    """
    if host.lower() != "localhost":
        return (host,)
    return tuple(sorted(_LOOPBACKS, key=lambda address: address != last_reached.get(port, _LOOPBACKS[0])))
