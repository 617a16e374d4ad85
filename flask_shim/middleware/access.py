"""Who may ask at all: host, origin, key and size, in that order and before anything else is done.

A web page can send requests to localhost without asking first, so the origin is refused here and not only left
without CORS headers; and a page can give its own name this machine's address, so the host is looked at on every bind.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from flask import Flask, Response, g, request

from flask_shim.config import Config
from flask_shim.config.addresses import is_address
from flask_shim.error_responses import error_response
from flask_shim.errors import BodyTooLarge, Forbidden, ShimError, Unauthorized
from flask_shim.middleware.hosts import hosts_of_this_machine, to_host
from flask_shim.middleware.origins import Origins, answer_headers, is_sound, preflight_headers
from flask_shim.observability.request_context import current

OPEN_PATHS = frozenset({"/", "/health", "/healthz", "/ping", "/ready"})
"""Need no key, for health checks. With keys configured, ``/ready`` shows details only to clients that send one."""

_OPEN_PREFIX = "/docs/"
"""Nor does the page of the documentation: it says nothing of its own, and asks for the key it needs for the rest."""

_READS = frozenset({"GET", "HEAD", "OPTIONS"})

Environ = Mapping[str, Any]


def init_app(app: Flask, config: Config) -> None:
    """Guard every path of ``app``, also those that do not exist."""
    guards = AccessGuards(config)
    # One more than allowed: a body of unknown length is cut there without a word, and so found out by the guard.
    app.config["MAX_CONTENT_LENGTH"] = config.max_request_bytes + 1
    app.before_request(guards.admit)
    app.after_request(add_origin)


def is_open(path: str) -> bool:
    """Whether a path needs no key."""
    return path in OPEN_PATHS or f"{path}/".startswith(_OPEN_PREFIX)


class AccessGuards:
    """The four checks; each returns why a request is refused, or None."""

    def __init__(self, config: Config) -> None:
        """Prepare whatever a request would otherwise wait for."""
        self._hosts = hosts_of_this_machine({*config.allowed_hosts, *config.hosts})
        self._origins = Origins(config.allowed_origins)
        self._keys = tuple(key.encode() for key in config.api_keys)
        self._max_bytes = config.max_request_bytes
        self._checks = (("host", self.host), ("origin", self.origin), ("key", self.key), ("size", self.size))

    def admit(self) -> Response | None:
        """Answer what is refused, and preflights; None lets the request pass."""
        environ = request.environ
        for name, check in self._checks:
            refusal = check(environ)
            if refusal is not None:
                current().rejected_by = name
                return error_response(refusal, request.path)
        return self._options(environ) if environ["REQUEST_METHOD"] == "OPTIONS" else None

    def host(self, environ: Environ) -> ShimError | None:
        """Check by which name we are called."""
        header = environ.get("HTTP_HOST") or ""
        if not header:
            return None if environ.get("SERVER_PROTOCOL") != "HTTP/1.1" else Forbidden("host not allowed: none given")
        host = to_host(header)
        if host is None:
            return Forbidden("host not allowed: not the name of one host")
        return None if self._hosts.allows(host) else Forbidden(f"host not allowed: {host} (see SHIM_ALLOWED_HOSTS)")

    def origin(self, environ: Environ) -> ShimError | None:
        """Check which page asks, if a browser says so; leave the answer's headers in ``g.cors``."""
        origin = environ.get("HTTP_ORIGIN")
        if not origin:  # an empty one is allowed, as in Ollama 0.32.15
            return self._without_origin(environ)
        if _is_same(origin, environ):
            return None
        if not self._origins.allows(origin):
            shown = f": {origin} (see SHIM_ALLOWED_ORIGINS)" if is_sound(origin) else ""
            return Forbidden(f"origin not allowed{shown}")
        g.cors = answer_headers(self._origins, origin)
        return None

    def _without_origin(self, environ: Environ) -> ShimError | None:
        is_foreign = environ.get("HTTP_SEC_FETCH_SITE") == "cross-site"
        if is_foreign and environ["REQUEST_METHOD"] not in _READS and not self._origins.any:
            return Forbidden("origin not allowed: another site's page sent this")
        return None

    def key(self, environ: Environ) -> ShimError | None:
        """Check the key, where one is configured; whatever is sent otherwise has no meaning."""
        g.has_access = not self._keys or bool(_fitting(_given_keys(environ), self._keys))
        if g.has_access or environ["REQUEST_METHOD"] == "OPTIONS" or is_open(environ.get("PATH_INFO") or ""):
            return None
        return Unauthorized("a key is required: send it as Authorization: Bearer <key>")

    def size(self, environ: Environ) -> ShimError | None:
        """Check the announced length of the body; one that is not announced has to be read for that."""
        most = self._max_bytes
        length = request.content_length
        is_chunked = "HTTP_TRANSFER_ENCODING" in environ  # waitress never leaves it there, others do
        if length is None and is_chunked and "HTTP_CONTENT_ENCODING" not in environ:  # the decoder has a limit, too
            length = len(request.get_data())
        if (length or 0) <= most:
            return None
        return BodyTooLarge(f"request body is too large: at most {most} bytes (see SHIM_MAX_REQUEST_BYTES)")

    def _options(self, environ: Environ) -> Response | None:
        if "cors" not in g:
            # As Ollama: a name is answered, an address gets what the route says to OPTIONS.
            is_literal = is_address(to_host(environ.get("HTTP_HOST") or "") or "")
            return None if is_literal else _no_content()
        response = _no_content()
        response.headers.extend(preflight_headers(environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")))
        wants_private = environ.get("HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK", "").lower() == "true"
        if wants_private and self._origins.lists(environ["HTTP_ORIGIN"]):
            response.headers["Access-Control-Allow-Private-Network"] = "true"
        return response


def add_origin(response: Response) -> Response:
    """Let the page that asked read the answer, whatever its status."""
    for name, value in g.get("cors", ()):
        response.headers.add(name, value)
    return response


def _no_content() -> Response:
    response = Response(status=204)
    del response.headers["Content-Type"]  # Flask's, and there is nothing it could be of
    return response


def _is_same(origin: str, environ: Environ) -> bool:
    scheme, found, rest = origin.lower().partition("://")
    return bool(found) and scheme in ("http", "https") and rest == environ.get("HTTP_HOST", "").lower()


def _given_keys(environ: Environ) -> Iterator[bytes]:
    """Yield what a client may mean as its key; as bytes, for headers may hold anything."""
    scheme, _, value = environ.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
    if scheme.lower() == "bearer":
        yield value.strip().encode("latin-1", "backslashreplace")
    if "HTTP_X_API_KEY" in environ:  # Anthropic's clients
        yield environ["HTTP_X_API_KEY"].strip().encode("latin-1", "backslashreplace")


def _fitting(given: Iterable[bytes], keys: Sequence[bytes]) -> int:
    """Count what fits, comparing everything with every key: the time taken must not tell where one did."""
    return sum(hmac.compare_digest(one, key) for one in given for key in keys)
