"""Connections whose requests can be cancelled, with private API of urllib3; checked with urllib3 2.7 and 2.8.

Connecting, its retries and TLS are urllib3's; requests are written, responses read and connections kept here: urllib3,
http.client and email took a fifth of the shim's CPU for that.

The private names are ``HTTPConnection._new_conn`` and ``._dns_host``; ``tests/unit/lmstudio/test_urllib3.py`` fails
when one is gone.
"""

from __future__ import annotations

import http.client
import socket
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProtocolError
from urllib3.util.timeout import Timeout

from flask_shim.lmstudio.http.cancellation import BackendCall
from flask_shim.lmstudio.http.http11 import RawResponse, format_head, limit_waiting, timeval
from flask_shim.lmstudio.http.loopback import addresses_of, last_reached

MAX_IDLE_SECONDS = 3.0
"""How long a connection waits for its next request. Node closes idle ones after five (``server.keepAliveTimeout``)."""

RACE_SECONDS = 1.0
"""How soon a request fails whose connection, which had been kept, the backend was closing when it was sent."""

ONE_PACKET = 65_536
"""Requests up to this size are sent in one piece; head and body of longer ones are not copied for that."""


class _Current(threading.local):
    """What this thread is sending, since an adapter cannot pass it to its connection."""

    call: BackendCall | None = None


CURRENT = _Current()


class ConnectionWasClosing(ProtocolError):
    """A request was not answered because the backend was closing its connection, which had been kept."""


class Response(RawResponse):
    """A response that gives its connection back."""

    version_string, length_remaining = "HTTP/1.x", None  # for urllib3's log
    pool: _KeepingPool | None = None
    """What keeps the connection for another request."""
    _connection: Any = None

    def __init__(self, connection: Any, method: str, call: BackendCall | None) -> None:
        """Receive the head of the response."""
        super().__init__(connection.sock, method, call)
        self._connection = connection

    def close(self) -> None:
        """Give the connection to the pool if it can be used again, otherwise close it; safe to call twice."""
        connection, self._connection = self._connection, None
        pool, self.pool = self.pool, None
        if connection is not None and pool is not None and self.is_reusable:
            pool.keep(connection)
        elif connection is not None:
            connection.close()

    def __del__(self) -> None:
        """Close a response that was abandoned, as urllib3's are."""
        self.close()


class _CancellableConnection:
    """A connection that gives its socket to the current call, so that waiting for the head can be cancelled."""

    sock: Any
    host: str
    port: int
    _method: str
    _dns_host: str
    default_port: int
    _read_seconds: float | None = None
    """How long each read may wait, as set on the socket."""

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]  # mixed into urllib3's connections
        self._read_seconds = None
        self._attach()

    def request(
        self, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, **_: Any
    ) -> None:
        """Send a request; ``headers`` include the length of its body."""
        self._method = method
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == self.default_port else f":{self.port}"
        head = format_head(method, url, host + port, headers or {})
        if self.sock is None:
            self.connect()
        else:
            self._attach()
        body = body or b""
        for data in (head + body,) if len(body) <= ONE_PACKET else (head, body):  # one packet wakes the backend once
            self.sock.sendall(data)

    def getresponse(self) -> Response:
        """Receive the head of the response, ticking if the current call does."""
        call = CURRENT.call
        seconds = call.ticks.seconds if call is not None and call.ticks is not None else None
        if seconds != self._read_seconds:
            limit_waiting(self.sock, seconds)
            self._read_seconds = seconds
        return Response(self, self._method, call)

    def reuse(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Response:
        """Send another request, as urllib3 sends the first, and return its response; close the connection otherwise."""
        response, sent_at = None, time.monotonic()
        try:
            with suppress(ConnectionError):  # the backend may have answered before it received all
                self.request(method, url, body, headers)
            response = self.getresponse()
        except ConnectionError as exc:
            is_race = time.monotonic() - sent_at < RACE_SECONDS
            raise (ConnectionWasClosing if is_race else ProtocolError)("the connection broke", exc) from exc
        except (OSError, http.client.HTTPException) as exc:
            raise ProtocolError("the connection broke", exc) from exc
        finally:
            if response is None:
                self.close()  # type: ignore[attr-defined]
        return response

    def _attach(self) -> None:
        if self.sock.gettimeout() is not None:  # from connecting, or where :func:`limit_waiting` sets it
            self.sock.settimeout(None)
            self._read_seconds = None
        if CURRENT.call is not None:
            CURRENT.call.attach(self.sock)

    def _new_conn(self) -> Any:
        """Connect to the first address of the host that accepts; otherwise raise the first failure."""
        name = self._dns_host
        failures: list[NewConnectionError] = []
        for address in addresses_of(name, self.port):
            self._dns_host = address
            try:
                sock = super()._new_conn()  # type: ignore[misc]
                if address != name:
                    last_reached[self.port] = address
                return sock
            except NewConnectionError as exc:
                if isinstance(exc.__cause__, BlockingIOError):  # see SO_SNDTIMEO in socket(7)
                    raise ConnectTimeoutError(self, "the connection was not accepted in time") from exc
                failures.append(exc)
            finally:
                self._dns_host = name
        raise failures[0]


class _PlainConnection(HTTPConnection):
    """A connection without TLS. On Linux the kernel limits the attempt: Python releases its lock thrice for that."""

    def _new_conn(self) -> socket.socket:
        if sys.platform != "linux":
            return super()._new_conn()
        seconds, options, limit = self.timeout, self.socket_options, (socket.SOL_SOCKET, socket.SO_SNDTIMEO)
        self.timeout = cast("Any", Timeout.DEFAULT_TIMEOUT)  # leaves the socket as it is
        self.socket_options = [*(options or ()), (*limit, timeval(seconds))]
        try:
            sock = super()._new_conn()
        finally:
            self.timeout, self.socket_options = seconds, options
        sock.setsockopt(*limit, timeval(None))
        return sock


class _Connection(_CancellableConnection, _PlainConnection):  # type: ignore[misc]  # it sends less than urllib3's
    pass


class _TlsConnection(_CancellableConnection, HTTPSConnection):  # type: ignore[misc]
    pass


class _KeepingPool:
    """A pool that keeps at most ``maxsize`` idle connections for other requests; urllib3 opens new ones."""

    def __init__(self, *args: Any, maxsize: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._idle: deque[tuple[Any, float]] = deque()
        self._most_idle = maxsize
        self._close_idle = weakref.finalize(self, _close_all, self._idle)

    def close(self) -> None:
        super().close()  # type: ignore[misc]  # mixed into urllib3's pools
        self._most_idle = 0
        self._close_idle()

    def urlopen(self, method: str, url: str, body: Any = None, headers: Any = None, *args: Any, **options: Any) -> Any:
        """Send a request on the connection that was used last, or on a new one; urllib3 repeats it to connect again."""
        connection = self._take()
        if connection is not None:
            response = connection.reuse(method, url, body, headers)
        else:
            response = super().urlopen(method, url, body, headers, *args, **options)  # type: ignore[misc]
        response.pool = self
        return response

    def keep(self, connection: Any) -> None:
        """Keep a connection until the next request, unless there are enough; close it then."""
        if len(self._idle) < self._most_idle:
            self._idle.append((connection, time.monotonic()))
        else:
            connection.close()

    def _take(self) -> Any:
        """Return the connection that was used last and is still open; None without one."""
        while True:
            try:
                connection, idle_since = self._idle.pop()
            except IndexError:
                return None
            if time.monotonic() - idle_since <= MAX_IDLE_SECONDS and connection.is_connected:
                return connection
            connection.close()


def _close_all(idle: deque[tuple[Any, float]]) -> None:
    while idle:
        idle.pop()[0].close()


class _Pool(_KeepingPool, HTTPConnectionPool):
    ConnectionCls = _Connection  # type: ignore[assignment]


class _TlsPool(_KeepingPool, HTTPSConnectionPool):
    ConnectionCls = _TlsConnection  # type: ignore[assignment]


POOLS: dict[str, Any] = {"http": _Pool, "https": _TlsPool}
