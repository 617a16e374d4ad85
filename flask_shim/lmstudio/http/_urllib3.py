"""Connections whose requests can be cancelled, with private API of urllib3; checked with urllib3 2.7 and 2.8.

Connecting, TLS, pools and retries are urllib3's; requests are written and responses are read here.

The private names are ``HTTPConnection._new_conn`` and ``._dns_host``, ``HTTPConnectionPool._get_conn`` and
``._put_conn``, and ``_connection`` and ``_pool`` of a response; ``tests/unit/lmstudio/test_urllib3.py`` fails when one
is gone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import requests
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError, ProtocolError

from flask_shim.lmstudio.http.cancellation import BackendCall
from flask_shim.lmstudio.http.loopback import addresses_of, last_reached
from flask_shim.lmstudio.http.raw_response import RawResponse, limit_waiting

MAX_IDLE_SECONDS = 3.0
"""How long a connection waits for its next request. Node closes idle ones after five (``server.keepAliveTimeout``)."""

ONE_PACKET = 65_536
"""Requests up to this size are sent in one piece; head and body of longer ones are not copied for that."""


class _Current(threading.local):
    """What this thread is sending, since an adapter cannot pass it to its connection."""

    call: BackendCall | None = None
    is_reused = False
    """Whether the request was sent on a connection that has had one before."""


CURRENT = _Current()


class PooledResponse(RawResponse):
    """A response that returns its connection to the pool."""

    version_string, length_remaining = "HTTP/1.x", None  # for urllib3's log
    _connection: Any = None
    _pool: Any = None

    def close(self) -> None:
        """Return the connection to its pool, closed unless it can be used again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            if not self.is_reusable:
                connection.close()
            self._pool._put_conn(connection)


class _CancellableConnection:
    """A connection that gives its socket to the current call, so that waiting for the head can be cancelled.

    It writes and reads the heads itself: urllib3, http.client and email take a fifth of the shim's CPU for them.
    """

    sock: Any
    timeout: float | None
    host: str
    port: int
    _method: str
    _dns_host: str
    default_port: int
    idle_since: float | None = None
    """When its last request ended, on the :func:`time.monotonic` clock; None before the end of the first."""

    def connect(self) -> None:
        self.idle_since = None
        super().connect()  # type: ignore[misc]  # mixed into urllib3's connections
        self.sock.settimeout(None)  # urllib3 keeps the connect timeout on the socket
        self._attach()

    def request(
        self, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, **_: Any
    ) -> None:
        """Send a request; ``headers`` include the length of its body."""
        self._method = method
        head = self._head(method, url, headers or {})
        CURRENT.is_reused = self.sock is not None and self.idle_since is not None
        if self.sock is None:
            self.connect()
        else:  # a pooled connection does not connect again
            self.sock.settimeout(None)  # it may have ticked
            self._attach()
        if body is None or len(body) <= ONE_PACKET:  # in one packet, so that the backend wakes up once
            self.sock.sendall(head + (body or b""))
        else:
            self.sock.sendall(head)
            self.sock.sendall(body)

    def getresponse(self) -> PooledResponse:
        """Receive the head of the response, ticking if the current call does."""
        call = CURRENT.call
        limit_waiting(self.sock, call.ticks.seconds if call is not None and call.ticks is not None else None)
        return PooledResponse(self.sock, self._method, call)

    def _head(self, method: str, url: str, headers: Mapping[str, str]) -> bytes:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == self.default_port else f":{self.port}"
        lines = [f"{method} {url} HTTP/1.1", f"Host: {host}{port}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join(lines)
        if head.count("\r") != len(headers) + 1 or head.count("\n") != len(headers) + 1:
            raise ValueError("a header contains a line end")
        return head.encode("latin-1") + b"\r\n\r\n"

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
                    last_reached[self.port] = address
                return sock
            finally:
                self._dns_host = name
        raise failures[0]


class _Connection(_CancellableConnection, HTTPConnection):  # type: ignore[misc]  # it sends less than urllib3's
    pass


class _TlsConnection(_CancellableConnection, HTTPSConnection):  # type: ignore[misc]
    pass


class _ShortIdle:
    """A pool that closes connections that were idle for too long; urllib3 closes those that the backend has closed."""

    pool: Any

    def _get_conn(self, timeout: float | None = None) -> Any:
        conn = super()._get_conn(timeout)  # type: ignore[misc]  # mixed into urllib3's pools
        if conn.idle_since is not None and time.monotonic() - conn.idle_since > MAX_IDLE_SECONDS:
            conn.close()  # it connects again for the request
        return conn

    def _put_conn(self, conn: Any) -> None:
        if conn is not None and self.pool is not None and self.pool.full():
            conn.close()  # urllib3 would log a warning
        elif conn is not None:
            conn.idle_since = time.monotonic()
            super()._put_conn(conn)  # type: ignore[misc]


class _Pool(_ShortIdle, HTTPConnectionPool):
    ConnectionCls = _Connection  # type: ignore[assignment]


class _TlsPool(_ShortIdle, HTTPSConnectionPool):
    ConnectionCls = _TlsConnection  # type: ignore[assignment]


class _SingleUse:
    """A pool that closes each connection after its request, whatever ``Connection`` header came back."""

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.close()


class _SingleUsePool(_SingleUse, _Pool):
    pass


class _SingleUseTlsPool(_SingleUse, _TlsPool):
    pass


POOLS = {"http": _Pool, "https": _TlsPool}
"""Pools that keep connections for the next request."""

SINGLE_USE_POOLS = {"http": _SingleUsePool, "https": _SingleUseTlsPool}
"""Pools with a new connection for every request."""


def was_closing(failure: BaseException | None) -> bool:
    """Return whether the request of this thread failed because the backend closed its pooled connection.

    ``failure`` is what the adapter raised. Other requests that fail like this may have been answered in part.
    """
    reason = getattr(failure.args[0], "reason", None) if failure is not None and failure.args else None
    return CURRENT.is_reused and isinstance(reason, ProtocolError) and isinstance(reason.args[-1], ConnectionError)


class UrllibBody:
    """The body of a response that was not received on a connection of this module, as with a Session of the user."""

    def __init__(self, response: requests.Response, read_size: int) -> None:
        """Read up to ``read_size`` bytes at a time."""
        self._response = response
        self._read_size = read_size

    def read(self) -> bytes:
        """Return what has arrived, after waiting for at least one byte; b"" at the end."""
        return bytes(self._response.raw.read1(self._read_size, decode_content=False))

    def close(self) -> None:
        """Close the connection; if the whole body was read, urllib3 has returned it to its pool."""
        self._response.close()


def open_body(response: requests.Response, read_size: int) -> PooledResponse | UrllibBody:
    """Return what to read the body of ``response`` from, which was requested with ``stream=True``."""
    if not isinstance(response.raw, PooledResponse):
        return UrllibBody(response, read_size)
    response.raw.read_size = read_size
    return response.raw
