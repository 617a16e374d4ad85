"""The requests Session for LM Studio: no environment, no cookies, connect-only retries."""

from __future__ import annotations

from http.cookiejar import DefaultCookiePolicy

import requests
from urllib3.util.retry import Retry

from flask_shim.lmstudio.http._urllib3 import BackendAdapter, SingleUseAdapter
from flask_shim.lmstudio.http.options import ClientOptions

LIST_PATHS = ("/v1/models", "/api/v0/models", "/api/v1/models")

GENERATION_PATHS = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings")
"""Requests that change nothing: repeating one costs computing time, and nothing else."""


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
    single_use = SingleUseAdapter(max_retries=retry)
    idle = options.max_keepalive_connections
    pooled = BackendAdapter(pool_maxsize=idle, max_retries=retry) if idle else single_use
    session.mount("http://", single_use)
    session.mount("https://", single_use)
    for path in (*LIST_PATHS, *GENERATION_PATHS):
        session.mount(options.url(path), pooled)
        session.mount(options.url(path) + "/", single_use)
    return session
