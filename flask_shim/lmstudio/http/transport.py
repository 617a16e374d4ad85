"""Requests to the backend: sent once, cancellable from the first moment, failures told in our own exceptions."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import orjson
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
from flask_shim.lmstudio.http._urllib3 import CURRENT
from flask_shim.lmstudio.http.cancellation import BackendCall, Watchdog
from flask_shim.lmstudio.http.error_parsing import parse_error_response
from flask_shim.lmstudio.http.limiter import ConnectionLimiter
from flask_shim.lmstudio.http.loopback import addresses_of
from flask_shim.lmstudio.http.options import ClientOptions
from flask_shim.lmstudio.http.response import CUT, BackendResponse
from flask_shim.lmstudio.http.session import build_session

SessionFactory = Callable[[ClientOptions], requests.Session]
"""The seam for proxies, client certificates, other adapters: a function that makes the Session."""


class Transport:
    """Sends requests over one Session. Every method raises only exceptions of :mod:`flask_shim.lmstudio.errors`."""

    def __init__(self, options: ClientOptions, session_factory: SessionFactory = build_session) -> None:
        """Make the Session; nothing is sent yet."""
        self.options = options
        self.watchdog = Watchdog()
        self._session = session_factory(options)
        self.room = ConnectionLimiter(options.max_connections)
        self._templates: dict[tuple[str, str], requests.PreparedRequest] = {}

    def close(self) -> None:
        """Give up the connections that are kept, and the watchdog's thread."""
        self._session.close()
        self.watchdog.close()

    def open(
        self,
        method: str,
        path: str,
        call: BackendCall,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> BackendResponse:
        """Send a request and return its answer once the head is there, whatever its status.

        The answer belongs to the caller. ``call`` should be watched; its deadline covers the wait for the head.
        """
        request = self._prepare(method, path, body, {**call.headers, **(headers or {})})
        adapter = self._session.get_adapter(str(request.url))
        call.check()
        if not self.room.enter(self.options.connect_timeout):
            raise ServerBusy(f"all {self.options.max_connections} connections to LM Studio are in use", retry_after=1)
        with ExitStack() as cleanup:
            cleanup.callback(self.room.leave)
            response = self._send_again_if_harmless(adapter, request, call)
            cleanup.pop_all()
        return BackendResponse(response, call, self.options.chunk_size, self.room.leave)

    def _send_again_if_harmless(
        self, adapter: requests.adapters.BaseAdapter, request: requests.PreparedRequest, call: BackendCall
    ) -> requests.Response:
        """Send a request, and a GET once more if its connection broke: a kept one may have been closed meanwhile."""
        try:
            return self._send(adapter, request, call)
        except BackendProtocolError:
            if request.method != "GET" or call.failure is not None:
                raise
        return self._send(adapter, request, call)

    def _send(
        self, adapter: requests.adapters.BaseAdapter, request: requests.PreparedRequest, call: BackendCall
    ) -> requests.Response:
        CURRENT.call = call
        try:
            return adapter.send(
                request,
                stream=True,
                timeout=Timeout(connect=self.options.connect_timeout, read=None),  # type: ignore[arg-type]  # the adapter takes one
                verify=self._session.verify,  # type: ignore[arg-type]  # None only while redirecting
                cert=self._session.cert,
                proxies=self._session.proxies,
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
            raise self._failure(exc, call) from exc
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
        """Send a request and return the decoded JSON of a good answer, within ``timeout`` seconds in all.

        Raises the refusal when the backend answers with an error, whatever status it gives that error.
        """
        call = call or BackendCall()
        call.allow(timeout, f"LM Studio did not answer {method} {path} within {timeout} s")
        with self.watchdog.watch(call), self.open(method, path, call, body) as answer:
            return read_json(answer, self.options)

    def is_reachable(self) -> bool:
        """Tell whether something accepts connections at the backend's address; nothing is asked of it."""
        parts = urlsplit(self.options.base_url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return any(_accepts(address, port, self.options.connect_timeout) for address in addresses_of(host, port))

    def unavailable(self, why: str) -> BackendUnavailable:
        """Return the error for a backend that cannot be reached."""
        return BackendUnavailable(
            f"LM Studio is not reachable at {self.options.base_url} ({why}). "
            "Start LM Studio and its server (Developer tab, or: lms server start); "
            "to install it: https://lmstudio.ai/download",
            why=why,
        )

    def _prepare(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> requests.PreparedRequest:
        key = (method, path)
        template = self._templates.get(key)
        if template is None:
            template = self._session.prepare_request(requests.Request(method, self.options.url(path)))
            if len(self._templates) < 64:  # paths with model names in them must not pile up
                self._templates[key] = template
        request = template.copy()
        request.headers.update(headers)
        if body is not None:
            request.body = body
            request.headers["Content-Length"] = str(len(body))
            request.headers.setdefault("Content-Type", "application/json")
        if method != "GET":
            request.headers["Connection"] = "close"
        return request

    def _failure(self, exc: Exception, call: BackendCall) -> ShimError:
        if call.failure is not None:
            return call.failure
        reason = getattr(exc.args[0], "reason", None) if exc.args else None
        if isinstance(exc, requests.exceptions.SSLError):
            return self.unavailable(f"TLS failed: {reason or exc}")
        if isinstance(exc, requests.ConnectTimeout):
            return self.unavailable("no answer to the connection attempt")
        if isinstance(reason, urllib3.exceptions.NewConnectionError):
            return self.unavailable(_cause(reason))
        if isinstance(exc, requests.Timeout):
            return BackendTimeout("LM Studio did not begin to answer in time")
        if isinstance(exc, requests.ConnectionError | OSError):
            return BackendProtocolError(CUT)
        return BackendError(f"the request to LM Studio failed: {type(exc).__name__}")


def _accepts(address: str, port: int, timeout: float | None) -> bool:
    try:
        with socket.create_connection((address, port), timeout=timeout):
            return True
    except OSError:
        return False


def _cause(reason: urllib3.exceptions.NewConnectionError) -> str:
    if isinstance(reason, urllib3.exceptions.NameResolutionError):
        return "its name cannot be resolved"
    return "connection refused" if "refused" in str(reason).lower() else "no connection could be made"


def read_json(answer: BackendResponse, options: ClientOptions) -> Any:
    """Return the decoded body; raise the refusal if it is an error, BackendBroke if it is no JSON."""
    answer.check_encoding()
    body = answer.read_all(options.max_answer_bytes)
    if answer.status >= 300:
        raise parse_error_response(answer.status, body, answer.headers, token=options.token)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise BackendProtocolError("LM Studio's answer is not JSON") from exc
    if isinstance(value, dict) and value.get("error"):  # LM Studio answers 200 to what it does not know
        raise parse_error_response(answer.status, body, answer.headers, token=options.token)
    return value
