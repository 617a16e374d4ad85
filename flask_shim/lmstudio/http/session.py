"""The requests Session for LM Studio: no environment, no cookies, connect-only retries, cancellable connections."""

from __future__ import annotations

from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from flask_shim.lmstudio.api_versions import ApiVersion
from flask_shim.lmstudio.http._urllib3 import POOLS
from flask_shim.lmstudio.http.options import ClientOptions

GENERATION_PATHS = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings")
"""Requests that change nothing: repeating one costs computing time, and nothing else."""

MOST_URLS = 64
"""A cache without a limit would grow with the names of models in paths."""


class _BareResponse(requests.Response):
    """A response without cookies, history and a guess at its encoding, which requests makes for each."""

    def __init__(self, request: requests.PreparedRequest, raw: Any) -> None:
        self.status_code, self.headers, self.raw, self.request = raw.status, raw.headers, raw, request


class BackendAdapter(HTTPAdapter):
    """An adapter whose requests can be canceled while they wait for the response head."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Use pools of cancellable connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS
        self._found: dict[tuple[Any, ...], Any] = {}

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        """Return the pool for a request, which requests would look up by the parts of its URL each time."""
        if proxies:
            return super().get_connection_with_tls_context(request, verify, proxies, cert)
        key = (request.url, verify, cert)
        pool = self._found.get(key)
        if pool is None:
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            if len(self._found) < MOST_URLS:
                self._found[key] = pool
        return pool

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        """Return the target for the request line."""
        return super().request_url(request, proxies) if proxies else request.path_url

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """Return the response without what the client does not use."""
        return _BareResponse(req, resp)

    def close(self) -> None:
        """Close all idle connections, and those in use after their request."""
        for pool in self._found.values():
            pool.close()
        self._found.clear()
        super().close()


def connect_only(options: ClientOptions) -> Retry:
    """Return a Retry that repeats only failed connection attempts, since no byte was sent then."""
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
    """Return the default Session.

    It ignores proxies and .netrc, which would reroute loopback traffic and replace the token, and stores no cookies.
    """
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers = requests.structures.CaseInsensitiveDict()
    session.headers.update({"Accept-Encoding": "identity", "User-Agent": "flask-shim"})
    session.verify = options.verify
    if options.token:
        session.headers["Authorization"] = f"Bearer {options.token}"
    # The backend may close a pooled connection just when a request is sent on it. Requests that change something,
    # such as a load, could not be repeated then (RFC 9110, section 9.2.2), so each has a connection of its own.
    retry = connect_only(options)
    single_use = BackendAdapter(pool_maxsize=0, max_retries=retry)
    pooled = BackendAdapter(pool_maxsize=options.max_keepalive_connections, max_retries=retry)
    session.mount("http://", single_use)
    session.mount("https://", single_use)
    for path in (*(version.value for version in ApiVersion), *GENERATION_PATHS):
        session.mount(options.url(path), pooled)
        session.mount(options.url(path) + "/", single_use)
    return session
