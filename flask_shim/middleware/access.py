"""Check host, origin, key and size before anything else happens.

Browsers send simple requests to localhost without a preflight, so leaving out the CORS headers is not enough for a
foreign origin. DNS rebinding gives a foreign name this machine's address, so the host is checked on every bind.
"""

from __future__ import annotations

import hmac
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from typing import Any

from flask import Flask, Response
from werkzeug.wsgi import get_content_length

from flask_shim.config import Config
from flask_shim.config.addresses import is_address
from flask_shim.error_responses import error_response
from flask_shim.errors import BodyTooLarge, Forbidden, ShimError, Unauthorized
from flask_shim.middleware.content_encoding import decode_input
from flask_shim.middleware.operator_access import READS, check_sender, is_page
from flask_shim.middleware.origins import Origins, answer_headers, is_own, is_visible_ascii, preflight_headers
from flask_shim.observability.access_log import OPERATOR_PREFIX
from flask_shim.observability.request_context import current

OPEN_PATHS = frozenset({"/", "/health", "/healthz", "/ping", "/ready"})
"""Need no key, for health checks. With keys configured, ``/ready`` shows details only to clients that send one."""

_HOST = re.compile(r"(?:\[([0-9a-f:.]+(?:%[0-9a-z._~-]+)?)\]|([a-z0-9_.-]+))(?::[0-9]{0,5})?")
_MAX_HOST = 300
_OLLAMA_SUFFIXES = (".localhost", ".local", ".internal")
_CACHED_HOSTS = 256

Environ = dict[str, Any]


def build_check(app: Flask, config: Config) -> Callable[[Environ], Response | None]:  # noqa: ARG001  same for all
    """Return the check of the requests for every path, also for those that do not exist."""
    return AccessGuards(config).admit


def is_open(path: str) -> bool:
    """Return whether a path needs no key; the pages at ``/docs`` and ``/shim`` ask for the key that they need."""
    return path in OPEN_PATHS or f"{path}/".startswith("/docs/") or is_page(path)


class AccessGuards:
    """The four checks; each returns the error for a request that it rejects, or None."""

    def __init__(self, config: Config) -> None:
        """Read hosts, origins, keys and the size limit from ``config``."""
        self._hosts = Hosts({*config.allowed_hosts, *config.hosts}, machine=socket.gethostname(), fqdn=full_name)
        self._origins = Origins(config.allowed_origins)
        self._keys = tuple(key.encode() for key in config.api_keys)
        self._max_bytes = config.max_request_bytes
        self._checks = (
            ("host", self.check_host),
            ("origin", self.check_origin),
            ("key", self.check_key),
            ("size", self.check_size),
        )

    def admit(self, environ: Environ) -> Response | None:
        """Answer preflights and rejected requests; None lets the request pass.

        A body of unknown length, which waitress never passes on, is measured like a compressed one when it is read.
        """
        for name, check in self._checks:
            if (error := check(environ)) is not None:
                return _reject(name, error)
        if environ["REQUEST_METHOD"] == "OPTIONS" and (answer := self._answer_options(environ)) is not None:
            return answer
        if environ["PATH_INFO"].startswith(OPERATOR_PREFIX) and (error := check_sender(environ)) is not None:
            return _reject("origin", error)
        if "HTTP_CONTENT_ENCODING" in environ or "HTTP_TRANSFER_ENCODING" in environ:
            decode_input(environ, self._max_bytes)
        return None

    def check_host(self, environ: Environ) -> ShimError | None:
        """Check the name by which the client reaches this server."""
        header = environ.get("HTTP_HOST") or ""
        if not header:
            return None if environ.get("SERVER_PROTOCOL") != "HTTP/1.1" else Forbidden("host not allowed: none given")
        host = to_host(header)
        if host is None:
            return Forbidden("host not allowed: not the name of one host")
        return None if self._hosts.allows(host) else Forbidden(f"host not allowed: {host} (see SHIM_ALLOWED_HOSTS)")

    def check_origin(self, environ: Environ) -> ShimError | None:
        """Check the web page that sent the request, if one did; give its answer the CORS headers."""
        origin = environ.get("HTTP_ORIGIN")
        if not origin:  # an empty one is allowed, as in Ollama 0.32.15
            is_foreign = environ.get("HTTP_SEC_FETCH_SITE") == "cross-site"
            if is_foreign and environ["REQUEST_METHOD"] not in READS and not self._origins.any:
                return Forbidden("origin not allowed: another site's page sent this")
            return None
        if is_own(origin, environ):
            return None
        if not self._origins.allows(origin):
            shown = f": {origin} (see SHIM_ALLOWED_ORIGINS)" if is_visible_ascii(origin) else ""
            return Forbidden(f"origin not allowed{shown}")
        current().answer_headers = answer_headers(self._origins, origin)
        return None

    def check_key(self, environ: Environ) -> ShimError | None:
        """Check the key if one is configured, and note whether it was sent."""
        if not self._keys:
            return None
        # Every key is compared with every configured one: the time must not depend on which one matches.
        matches = sum(hmac.compare_digest(given, key) for given in given_keys(environ) for key in self._keys)
        current().has_access = matches > 0
        if matches or environ["REQUEST_METHOD"] == "OPTIONS" or is_open(environ.get("PATH_INFO") or ""):
            return None
        return Unauthorized("a key is required: send it as Authorization: Bearer <key>")

    def check_size(self, environ: Environ) -> ShimError | None:
        """Check the length of the body if it is known."""
        if "CONTENT_LENGTH" not in environ or (get_content_length(environ) or 0) <= self._max_bytes:
            return None
        return BodyTooLarge(f"request body is too large: at most {self._max_bytes} bytes (see SHIM_MAX_REQUEST_BYTES)")

    def _answer_options(self, environ: Environ) -> Response | None:
        response = Response(status=204)
        del response.headers["Content-Type"]
        if not current().answer_headers:
            # As Ollama 0.32.15: a host name gets 204, an address gets the route's answer to OPTIONS.
            return None if is_address(to_host(environ.get("HTTP_HOST") or "") or "") else response
        response.headers.extend(preflight_headers(environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")))
        wants_private = environ.get("HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK", "").lower() == "true"
        if wants_private and self._origins.lists(environ["HTTP_ORIGIN"]):
            response.headers["Access-Control-Allow-Private-Network"] = "true"
        return response


def _reject(name: str, error: ShimError) -> Response:
    record = current()
    record.rejected_by = name
    return error_response(error, record.path)


def given_keys(environ: Environ) -> Iterator[bytes]:
    """Yield the keys that a client sent, as bytes because headers may contain any."""
    scheme, _, value = environ.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
    if scheme.lower() == "bearer":
        yield value.strip().encode("latin-1", "backslashreplace")
    if "HTTP_X_API_KEY" in environ:  # Anthropic's clients
        yield environ["HTTP_X_API_KEY"].strip().encode("latin-1", "backslashreplace")


def to_host(header: str) -> str | None:
    """Return the host in a Host header in lower case, without port, brackets and final dot; None if it is invalid."""
    match = _HOST.fullmatch(header.lower()) if header.isascii() and len(header) <= _MAX_HOST else None
    if match is None:
        return None
    literal, name = match.groups()
    if literal is not None:
        return str(literal) if ":" in literal and is_address(literal) else None
    return str(name).removesuffix(".") or None


class Hosts:
    """The hosts that a request may name."""

    def __init__(self, names: Iterable[str], *, machine: str = "", fqdn: Callable[[], str] = str) -> None:
        """Allow ``names``, ``machine`` and Ollama's own names; ``fqdn`` may be slow and is called only when needed."""
        machine = machine.lower().rstrip(".")
        self._short = machine.partition(".")[0]
        self._names = frozenset({"localhost", *names, machine, self._short} - {""})
        self._fqdn = fqdn
        self.allows = lru_cache(_CACHED_HOSTS)(self._allows)
        """Whether a host, as :func:`to_host` returns it, is allowed."""

    def _allows(self, host: str) -> bool:
        # DNS rebinding needs a name: an address in the Host header proves that the page already used the address.
        if host in self._names or host.endswith(_OLLAMA_SUFFIXES) or is_address(host):
            return True
        # Looking up the machine's full name may take seconds, so only for a host that could be it.
        return bool(self._short) and host.startswith(f"{self._short}.") and host == self._fqdn()


@cache
def full_name() -> str:
    """Return the machine's full name from DNS or the hosts file, in lower case."""
    return socket.getfqdn().lower().rstrip(".")
