"""Everything that uses private API of urllib3 and http.client; checked with urllib3 2.7 and 2.8, Python 3.10 to 3.14.

Private names: ``HTTPConnection._new_conn`` and ``._dns_host``, ``HTTPConnectionPool._put_conn``, ``HTTPResponse._fp``,
and of http.client's response ``fp`` and ``chunked``. ``tests/unit/lmstudio/test_urllib3.py`` fails when one is gone.
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
from flask_shim.lmstudio.http.loopback import addresses_of, note_reached

Read = Callable[[], bytes]


class _Current(threading.local):
    """The call that this thread is sending: an adapter cannot pass it to its connection."""

    call: BackendCall | None = None


CURRENT = _Current()


class _CancellableConnection:
    """A connection that gives its socket to the current call, so that waiting for the head can be cancelled.

    It also tries both loopback addresses for ``localhost``.
    """

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
                note_reached(name, self.port, address)
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


def body_reader(response: requests.Response, chunk_size: int) -> Read:
    """Return a function that reads what has arrived, waiting for at least one byte; b"" at the end.

    urllib3's own ``read1`` costs about 10 µs per chunk, and LM Studio sends a chunk per token, so that chunked framing
    is removed by :class:`Dechunker`. Without the private attributes, ``read1`` is used.
    """
    raw: Any = response.raw
    inner = getattr(raw, "_fp", None)
    file = getattr(inner, "fp", None)
    if file is not None and hasattr(file, "read1"):
        if getattr(inner, "chunked", False):
            return _chunked(file.read1, chunk_size)
        if getattr(inner, "length", None) is None:
            return _until_closed(file.read1, chunk_size)
    return lambda: bytes(raw.read1(chunk_size, decode_content=False))


def _until_closed(read1: Callable[[int], bytes], chunk_size: int) -> Read:
    return lambda: read1(chunk_size)


def _chunked(read1: Callable[[int], bytes], chunk_size: int) -> Read:
    framing = Dechunker()

    def read() -> bytes:
        while not framing.done:
            block = read1(chunk_size)
            if not block:
                raise ConnectionError("the last chunk is missing")
            payload = framing.feed(block)
            if payload:
                return payload
        return b""

    return read
