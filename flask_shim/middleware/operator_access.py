"""Keep pages of other sites away from the operator's routes, which show requests and change models.

The allowed origins of the API don't count here: a web chat that may use the models must not read what others send.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from werkzeug.http import parse_cookie

from flask_shim.errors import Forbidden, ShimError
from flask_shim.middleware.origins import is_own
from flask_shim.middleware.server_check import find_waitress
from flask_shim.observability.access_log import OPERATOR_PREFIX

READS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""

CSRF_COOKIE = "shim_token"
CSRF_HEADER = "X-Shim-Token"

_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,60}")
_FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP")

Environ = Mapping[str, Any]


def check_sender(environ: Environ) -> ShimError | None:
    """Return the error for a request to an operator's route that only a page of another site would send."""
    return check_site(environ) or check_token(environ, parse_cookie(environ.get("HTTP_COOKIE")).get(CSRF_COOKIE, ""))


def check_site(environ: Environ) -> ShimError | None:
    """Return the error for a request that another site's page sent; a link to the page itself is allowed."""
    if is_page(environ.get("PATH_INFO") or "") and environ.get("REQUEST_METHOD") in READS:
        return None
    site = environ.get("HTTP_SEC_FETCH_SITE", "").lower()
    is_foreign = site not in ("", "same-origin", "none")
    if not site and (origin := environ.get("HTTP_ORIGIN")):  # browsers send no Sec-Fetch-Site over plain HTTP
        is_foreign = not is_own(origin, environ)
    return Forbidden("origin not allowed: another site's page sent this") if is_foreign else None


def check_token(environ: Environ, cookie: str) -> ShimError | None:
    """Return the error for a browser's request that changes something without the token of the page.

    Programs that send neither Origin nor Sec-Fetch-Site need none: no site can make them send requests.
    """
    is_browser = "HTTP_ORIGIN" in environ or "HTTP_SEC_FETCH_SITE" in environ
    if environ.get("REQUEST_METHOD") in READS or not is_browser:
        return None
    sent = environ.get(f"HTTP_{CSRF_HEADER.upper().replace('-', '_')}", "")
    if _TOKEN.fullmatch(cookie) and hmac.compare_digest(sent.encode("latin-1", "replace"), cookie.encode()):
        return None
    return Forbidden("the page is out of date: reload it, then try again")


def is_page(path: str) -> bool:
    """Return whether a path is the page or one of its files, which show nothing of this server and need no key."""
    return path in ("/shim", OPERATOR_PREFIX) or path.startswith(f"{OPERATOR_PREFIX}static/")


def page_token(cookie: str) -> str:
    """Return the token for the page: the one of the browser's cookie, so that open tabs keep working, or a new one."""
    return cookie if _TOKEN.fullmatch(cookie) else secrets.token_urlsafe(24)


def is_from_this_machine(environ: Environ) -> bool:
    """Return whether a request certainly comes from this machine itself, and not through a proxy on it."""
    server = find_waitress(environ)
    if any(name in environ for name in _FORWARDED) or (server is not None and server.hides_proxies):
        return False
    try:
        address = ip_address(environ.get("REMOTE_ADDR") or "")
    except ValueError:  # a Unix socket: of a proxy
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
