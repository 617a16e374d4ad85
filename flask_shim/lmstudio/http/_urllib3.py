"""Connections whose requests can be cancelled, with private API of urllib3; checked with urllib3 2.7 and 2.8.

The private names are ``HTTPConnection._new_conn`` and ``._dns_host``, ``HTTPConnectionPool._get_conn`` and
``._put_conn``, ``HTTPResponse._fp``, ``fp`` and ``chunked`` of http.client's response, and ``_sock`` of the socket's
raw file; ``tests/unit/lmstudio/test_urllib3.py`` fails when one is gone.
"""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from typing import Any

import requests
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError, ProtocolError

from flask_shim.lmstudio.http.cancellation import BackendCall
from flask_shim.lmstudio.http.chunked import Dechunker
from flask_shim.lmstudio.http.loopback import addresses_of, last_reached
from flask_shim.lmstudio.http.ticking_reader import TickingReader, limit_waiting

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


class _Response(http.client.HTTPResponse):
    """A response that ticks if its call does, from the wait for its head on."""

    fp: io.BufferedReader

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        call = CURRENT.call
        ticks = call.ticks if call is not None else None
        limit_waiting(sock, ticks.seconds if ticks is not None else None)
        if call is not None and ticks is not None:
            self.fp = io.BufferedReader(TickingReader(sock, self.fp, call))


class _CancellableConnection:
    """A connection that gives its socket to the current call, so that waiting for the head can be cancelled."""

    sock: Any
    timeout: float | None
    port: int
    _dns_host: str
    _held: list[Any] | None = None
    """The parts of a request that is being written."""
    idle_since: float | None = None
    """When its last request ended, on the :func:`time.monotonic` clock; None before the end of the first."""

    def connect(self) -> None:
        self.idle_since = None
        super().connect()  # type: ignore[misc]  # mixed into urllib3's connections
        self.sock.settimeout(None)  # urllib3 keeps the connect timeout on the socket
        self._attach()

    def request(self, *args: Any, **kwargs: Any) -> None:
        CURRENT.is_reused = self.sock is not None and self.idle_since is not None
        if self.sock is not None:  # a pooled connection does not connect again
            self.timeout = (
                None  # urllib3 sets the connect timeout, which is no limit for sending, and it may have ticked
            )
            self._attach()
        self._held = []
        try:
            super().request(*args, **kwargs)  # type: ignore[misc]
        finally:
            held, self._held = self._held, None
        # In one packet, so that the backend wakes up once.
        for data in [b"".join(held)] if sum(map(len, held)) <= ONE_PACKET else held:
            self.send(data)

    def send(self, data: Any) -> None:
        """Send, or hold the part of a request that is being written."""
        if self._held is None:
            super().send(data)  # type: ignore[misc]
        else:
            self._held.append(data)

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


class _Connection(_CancellableConnection, HTTPConnection):
    response_class = _Response


class _TlsConnection(_CancellableConnection, HTTPSConnection):
    response_class = _Response


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
    ConnectionCls = _Connection


class _TlsPool(_ShortIdle, HTTPSConnectionPool):
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


class Body:
    """The body of a response as it arrives, without waiting for more than there is."""

    def __init__(self, response: requests.Response, size: int) -> None:
        """Read up to ``size`` bytes at a time."""
        self._response = response
        self._size = size

    def read(self) -> bytes:
        """Return what has arrived, after waiting for at least one byte; b"" at the end."""
        return bytes(self._response.raw.read1(self._size, decode_content=False))

    def close(self) -> None:
        """Close the connection; if the whole body was read, urllib3 has returned it to its pool."""
        self._response.close()


class ChunkedBody(Body):
    """A chunked body, of which a read takes all chunks that have arrived; urllib3 takes one."""

    def __init__(self, response: requests.Response, size: int) -> None:
        """Read up to ``size`` bytes at a time."""
        super().__init__(response, size)
        self._framing = Dechunker()
        self._file: Any = _inner(response).fp
        self._receive = self._file.read1

    def read(self) -> bytes:
        """Return what has arrived, after waiting for at least one byte; b"" at the end."""
        framing = self._framing
        while not framing.is_done:
            block = self._receive(self._size)
            if not block:
                raise ConnectionError("the last chunk is missing")
            if len(block) < self._size:  # the file's buffer is empty; without the file, a token costs three calls less
                self._receive = self._file.raw._sock.recv
            if payload := framing.feed(block):
                return payload
        return b""

    def close(self) -> None:
        """Return the connection to its pool if the whole body was read, otherwise close it."""
        if self._framing.is_done and not self._framing.rest:
            _inner(self._response).close()
            self._response.raw.release_conn()
        self._response.close()


def open_body(response: requests.Response, size: int) -> Body:
    """Return the body of a response that was requested with ``stream=True``."""
    inner = _inner(response)
    is_chunked = getattr(inner, "chunked", False) and getattr(inner, "fp", None) is not None
    return (ChunkedBody if is_chunked else Body)(response, size)


def _inner(response: requests.Response) -> Any:
    return getattr(response.raw, "_fp", None)
