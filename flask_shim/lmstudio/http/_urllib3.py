"""Connections whose requests can be cancelled, with private API of urllib3; checked with urllib3 2.7 and 2.8.

The private names are ``HTTPConnection._new_conn`` and ``._dns_host``, ``HTTPConnectionPool._put_conn``,
``HTTPResponse._fp``, and ``fp`` and ``chunked`` of http.client's response; ``tests/unit/lmstudio/test_urllib3.py``
fails when one is gone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, ClassVar

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

from flask_shim.lmstudio.http.cancellation import BackendCall
from flask_shim.lmstudio.http.chunked import Dechunker

_LOOPBACKS = ("127.0.0.1", "::1")

_last_reached: dict[int, str] = {}
"""The loopback address that was reached last, by port."""


def addresses_of(host: str, port: int) -> tuple[str, ...]:
    """Return the addresses to try for ``host``, in order: both loopback addresses for ``localhost``, otherwise itself.

    ``localhost`` is ``::1`` first on most systems, but LM Studio listens on 127.0.0.1 only, and on Windows it takes up
    to two seconds until an attempt at ``::1`` fails.
    """
    if host.lower() != "localhost":
        return (host,)
    return tuple(sorted(_LOOPBACKS, key=lambda address: address != _last_reached.get(port, _LOOPBACKS[0])))


class _Current(threading.local):
    """The call that this thread is sending, since an adapter cannot pass it to its connection."""

    call: BackendCall | None = None


CURRENT = _Current()


class _CancellableConnection:
    """A connection that gives its socket to the current call, so that waiting for the head can be cancelled."""

    sock: Any
    port: int
    _dns_host: str

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]  # mixed into urllib3's connections
        self.sock.settimeout(None)  # urllib3 keeps the connect timeout on the socket
        self._attach()

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._attach()  # a pooled connection does not connect again
        super().request(*args, **kwargs)  # type: ignore[misc]

    def _attach(self) -> None:
        if self.sock is not None and CURRENT.call is not None:
            CURRENT.call.attach(self.sock)

    def _new_conn(self) -> Any:
        """Connect to the first address of the host that accepts; otherwise raise the first failure."""
        name = self._dns_host
        failures: list[NewConnectionError] = []
        for address in addresses_of(name, self.port):
            self._dns_host = address
            try:
                sock = super()._new_conn()  # type: ignore[misc]
            except NewConnectionError as exc:
                failures.append(exc)
            else:
                if address != name:
                    _last_reached[self.port] = address
                return sock
            finally:
                self._dns_host = name
        raise failures[0]


class _Connection(_CancellableConnection, HTTPConnection):
    pass


class _TlsConnection(_CancellableConnection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _SingleUse:
    """A pool that closes each connection after its request, whatever ``Connection`` header came back."""

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.close()


class _SingleUsePool(_SingleUse, _Pool):
    pass


class _SingleUseTlsPool(_SingleUse, _TlsPool):
    pass


class BackendAdapter(HTTPAdapter):
    """An adapter whose requests can be cancelled while they wait for the response head."""

    pools: ClassVar = {"http": _Pool, "https": _TlsPool}

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Use pools of cancellable connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self.pools


class SingleUseAdapter(BackendAdapter):
    """An adapter with a new connection for every request."""

    pools: ClassVar = {"http": _SingleUsePool, "https": _SingleUseTlsPool}


def body_reader(response: requests.Response, size: int) -> Callable[[], bytes]:
    """Return a function that returns what has arrived, after waiting for at least one byte; b"" at the end."""
    raw: Any = response.raw
    inner = getattr(raw, "_fp", None)
    file = getattr(inner, "fp", None)
    if file is None or not getattr(inner, "chunked", False):
        return lambda: bytes(raw.read1(size, decode_content=False))
    framing = Dechunker()

    def read() -> bytes:
        while not framing.is_done:
            block = file.read1(size)
            if not block:
                raise ConnectionError("the last chunk is missing")
            if payload := framing.feed(block):
                return payload
        return b""

    return read
