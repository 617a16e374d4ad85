"""The requests Session towards the backend: nothing of the environment, nothing remembered, connect-only retries."""

from __future__ import annotations

import threading
from http.cookiejar import DefaultCookiePolicy
from typing import Any, ClassVar

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError
from urllib3.util.retry import Retry

from flask_shim.lmstudio.http.cancellation import BackendCall
from flask_shim.lmstudio.http.loopback import addresses_of, note_reached
from flask_shim.lmstudio.http.options import ClientOptions

LIST_PATHS = ("/v1/models", "/api/v0/models", "/api/v1/models")


class _Current(threading.local):
    """The call that this thread is sending: the adapter has no other way to tell its connection."""

    call: BackendCall | None = None


CURRENT = _Current()


class _Reachable:
    """A connection that knows where localhost is, and names its socket to the current call.

    So waiting for the head can be cancelled, too.
    """

    sock: Any
    port: int
    _dns_host: str

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]  # mixed into urllib3's connections
        self.sock.settimeout(None)  # the time to connect is no limit for sending; the call has its own
        self._attach()

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._attach()  # a connection from the pool does not connect again
        super().request(*args, **kwargs)  # type: ignore[misc]

    def _attach(self) -> None:
        if self.sock is not None and CURRENT.call is not None:
            CURRENT.call.attach(self.sock)

    def _new_conn(self) -> Any:
        """Connect to the first address of the backend's name that accepts; else fail as the first one did."""
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


class _Connection(_Reachable, HTTPConnection):
    pass


class _TlsConnection(_Reachable, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Once:
    """A pool that keeps nothing, whatever the backend says of keeping the connection open."""

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.close()


class _OncePool(_Once, _Pool):
    pass


class _OnceTlsPool(_Once, _TlsPool):
    pass


class BackendAdapter(HTTPAdapter):
    """An adapter whose connections can be hung up while the backend is still thinking."""

    pools: ClassVar = {"http": _Pool, "https": _TlsPool}

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Build the pools from connections that name their socket."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self.pools


class OnceAdapter(BackendAdapter):
    """The same, with a new connection for every request."""

    pools: ClassVar = {"http": _OncePool, "https": _OnceTlsPool}


def connect_only(options: ClientOptions) -> Retry:
    """Retry while no connection was made, when nothing can have run; never after a byte was sent."""
    return Retry(
        total=options.connect_retries,
        connect=options.connect_retries,
        read=0,
        status=0,
        other=0,
        redirect=0,
        backoff_factor=options.retry_backoff,
        backoff_max=1.0,
        respect_retry_after_header=False,
        raise_on_status=False,
        raise_on_redirect=False,
        allowed_methods=None,
    )


def build_session(options: ClientOptions) -> requests.Session:
    """Return the Session that the shim uses unless it is given another one.

    It ignores proxies and .netrc (they would reroute loopback traffic and replace our token) and keeps no cookies.
    """
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers = requests.structures.CaseInsensitiveDict()
    session.headers.update({"Accept-Encoding": "identity", "User-Agent": "flask-shim"})
    session.verify = options.verify
    if options.token:
        session.headers["Authorization"] = f"Bearer {options.token}"
    _mount(session, options)
    return session


def _mount(session: requests.Session, options: ClientOptions) -> None:
    """Keep connections for the model lists only.

    Node closes idle connections after five seconds, and a POST that meets such a connection fails without our being
    allowed to send it again. So everything but the lists travels on a connection of its own; on loopback it costs
    nothing.
    """
    retry = connect_only(options)
    work = OnceAdapter(max_retries=retry)
    lists = BackendAdapter(pool_maxsize=options.max_keepalive_connections, max_retries=retry)
    session.mount("http://", work)
    session.mount("https://", work)
    for path in LIST_PATHS:
        session.mount(options.url(path), lists)
        session.mount(options.url(path) + "/", work)
