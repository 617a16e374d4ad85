"""The requests Session for LM Studio: no environment, no cookies, connect-only retries."""

from __future__ import annotations

from http.cookiejar import DefaultCookiePolicy

import requests
from urllib3.util.retry import Retry

from flask_shim.lmstudio.http._urllib3 import BackendAdapter, SingleUseAdapter
from flask_shim.lmstudio.http.options import ClientOptions

LIST_PATHS = ("/v1/models", "/api/v0/models", "/api/v1/models")


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
    # Only the model lists use pooled connections. Node closes idle connections after five seconds
    # (server.keepAliveTimeout), and a POST that fails because of that must not be repeated (RFC 9110, section 9.2.2).
    retry = connect_only(options)
    work = SingleUseAdapter(max_retries=retry)
    lists = BackendAdapter(pool_maxsize=options.max_keepalive_connections, max_retries=retry)
    session.mount("http://", work)
    session.mount("https://", work)
    for path in LIST_PATHS:
        session.mount(options.url(path), lists)
        session.mount(options.url(path) + "/", work)
    return session
