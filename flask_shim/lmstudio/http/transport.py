"""Requests to the backend: sent once, cancellable from the first moment, with exceptions of the client for failures."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from urllib3.util.timeout import Timeout

from flask_shim.errors import ShimError
from flask_shim.lmstudio.errors import (
    BackendError,
    BackendProtocolError,
    BackendTimeout,
    BackendUnavailable,
    ServerBusy,
)
from flask_shim.lmstudio.http._urllib3 import CURRENT, ConnectionWasClosing
from flask_shim.lmstudio.http.cancellation import BackendCall, Watchdog
from flask_shim.lmstudio.http.loopback import addresses_of
from flask_shim.lmstudio.http.options import ClientOptions
from flask_shim.lmstudio.http.response import CUT, BackendResponse, read_json
from flask_shim.lmstudio.http.session import GENERATION_PATHS, MOST_URLS, build_session

SessionFactory = Callable[[ClientOptions], requests.Session]
"""A function that makes the Session, for proxies, client certificates or other adapters."""


class ConnectionLimiter:
    """A semaphore for ``total`` connections that shows how many are ``taken``."""

    def __init__(self, total: int) -> None:
        """Start with none taken."""
        self.total = total
        self.taken = 0
        self._changed = threading.Condition()

    def acquire(self, timeout: float | None) -> bool:
        """Take a connection, waiting at most ``timeout`` seconds (None: without limit); return whether one was free."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.taken < self.total, timeout):
                return False
            self.taken += 1
            return True

    def release(self) -> None:
        """Give a connection back."""
        with self._changed:
            self.taken -= 1
            self._changed.notify()


class Transport:
    """Sends requests over one Session. Every method raises only exceptions of :mod:`flask_shim.lmstudio.errors`."""

    def __init__(
        self,
        options: ClientOptions,
        session_factory: SessionFactory = build_session,
        watchdog: Watchdog | None = None,
    ) -> None:
        """Make the Session; nothing is sent yet. A ``watchdog`` that is given is not closed with it."""
        self.options = options
        self._owns_watchdog = watchdog is None
        self.watchdog = Watchdog() if watchdog is None else watchdog
        self.limiter = ConnectionLimiter(options.max_connections)
        self._session = session_factory(options)
        self._timeout: Any = Timeout(connect=options.connect_timeout, read=None)
        self._prepared: dict[tuple[object, ...], tuple[str, dict[str, str]]] = {}
        """URLs and headers by method, path and the headers of the route."""

    def close(self) -> None:
        """Close the idle connections, and end the watchdog's thread."""
        self._session.close()
        if self._owns_watchdog:
            self.watchdog.close()

    def open(
        self,
        method: str,
        path: str,
        call: BackendCall,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> BackendResponse:
        """Send a request and return the response once its head has arrived, whatever its status.

        The caller must close it. ``call`` should be watched; its deadline includes the wait for the head. A GET or a
        generation is sent again if its connection broke, since the backend may have closed a pooled one meanwhile.
        """
        request = self._prepare(method, path, body, call.headers, headers or {})
        if call.trace is not None:
            call.trace.add_request(method, path, body)
        call.check()
        if not self.limiter.acquire(self.options.connect_timeout):
            raise ServerBusy(f"all {self.options.max_connections} connections to LM Studio are in use", retry_after=1)
        try:
            response = self._send(request, call)
        except BaseException:
            self.limiter.release()
            raise
        return BackendResponse(response, call, self.options, self.limiter.release)

    def _send(self, request: requests.PreparedRequest, call: BackendCall) -> requests.Response:
        try:
            return self._send_once(str(request.url), request, call)
        except BackendProtocolError as exc:
            was_closing = any(isinstance(cause, ConnectionWasClosing) for cause in getattr(exc.__cause__, "args", ()))
            if call.failure is not None or not (request.method == "GET" or was_closing):
                raise
        # The adapter of the root keeps no connections: the next one might be closing, too.
        return self._send_once(self.options.base_url, request, call)

    def _send_once(self, adapter_url: str, request: requests.PreparedRequest, call: BackendCall) -> requests.Response:
        CURRENT.call = call
        call.suspend_deadline()
        try:
            return self._session.get_adapter(adapter_url).send(
                request,
                stream=True,
                timeout=self._timeout,
                verify=self._session.verify,  # type: ignore[arg-type]  # None only while redirecting
                cert=self._session.cert,
                proxies=self._session.proxies,
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
            raise self._to_error(exc, call) from exc
        finally:
            CURRENT.call = None

    def exchange(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        timeout: float | None,
        call: BackendCall | None = None,
    ) -> Any:
        """Send a request and return the decoded JSON of its response, all within ``timeout`` seconds.

        Raises the error if the response is one, whatever status it has.
        """
        call = call or BackendCall()
        call.allow(timeout, f"LM Studio did not answer {method} {path} within {timeout} s")
        with self.watchdog.watch(call), self.open(method, path, call, body) as response:
            return read_json(response, self.options)

    def is_reachable(self) -> bool:
        """Return whether the backend's address accepts connections; no request is sent."""
        parts = urlsplit(self.options.base_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        for address in addresses_of(parts.hostname or "", port):
            with (
                suppress(OSError),
                socket.create_connection((address, port), timeout=self.options.connect_timeout),
            ):
                return True
        return False

    def unavailable(self, why: str) -> BackendUnavailable:
        """Return the error for a backend that cannot be reached."""
        return BackendUnavailable(
            f"LM Studio is not reachable at {self.options.base_url} ({why}). "
            "Start LM Studio and its server (Developer tab, or: lms server start); "
            "to install it: https://lmstudio.ai/download",
            why=why,
        )

    def _prepare(
        self,
        method: str,
        path: str,
        body: bytes | None,
        call_headers: Mapping[str, str],
        route_headers: Mapping[str, str],
    ) -> requests.PreparedRequest:
        """Return the request; what does not differ from call to call is prepared once."""
        key = (method, path, *route_headers.items())
        prepared = self._prepared.get(key)
        if prepared is None:
            whole = self._session.prepare_request(
                requests.Request(method, self.options.url(path), headers=route_headers)
            )
            prepared = str(whole.url), dict(whole.headers)
            if method != "GET" and path not in GENERATION_PATHS:
                prepared[1]["Connection"] = "close"
            if len(self._prepared) < MOST_URLS:
                self._prepared[key] = prepared
        headers = {**prepared[1], **call_headers}
        if body is not None:
            headers["Content-Length"] = str(len(body))
            headers.setdefault("Content-Type", "application/json")
        request = requests.PreparedRequest()
        request.method, request.url, request.body = method, prepared[0], body
        request.headers = headers  # type: ignore[assignment]  # a dict is copied faster
        return request

    def _to_error(self, exc: Exception, call: BackendCall) -> ShimError:
        if call.failure is not None:
            return call.failure
        reason = getattr(exc.args[0], "reason", None) if exc.args else None
        # To urllib3, the handshake of TLS is a read, the only one that it gives a limit.
        is_late = isinstance(reason, urllib3.exceptions.ReadTimeoutError)
        if is_late or isinstance(exc, requests.exceptions.SSLError):
            why = f"TLS failed: {'no answer to the handshake' if is_late else reason or exc}"
            return BackendUnavailable(
                f"LM Studio is not reachable at {self.options.base_url} ({why}). "
                "Add its certificate to the trusted ones (SHIM_CA_FILE), or use http:// if it speaks no TLS.",
                why=why,
            )
        if isinstance(exc, requests.ConnectTimeout):
            return self.unavailable("no answer to the connection attempt")
        if isinstance(reason, urllib3.exceptions.NameResolutionError):
            return self.unavailable("its name cannot be resolved")
        if isinstance(reason, urllib3.exceptions.NewConnectionError):
            is_refused = "refused" in str(reason).lower()
            return self.unavailable("connection refused" if is_refused else "no connection could be made")
        if isinstance(exc, requests.Timeout):
            return BackendTimeout("LM Studio did not begin to answer in time")
        if isinstance(exc, requests.ConnectionError | OSError):
            return BackendProtocolError(CUT)
        return BackendError(f"the request to LM Studio failed: {type(exc).__name__}")
