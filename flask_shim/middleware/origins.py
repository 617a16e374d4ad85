"""The allowed web origins, Ollama's and the configured ones, and the CORS headers for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

ANY = "*"

_LOCAL = re.compile(r"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::[0-9]{1,5})?")
_APPS = ("app://", "file://", "tauri://", "vscode-webview://", "vscode-file://")
_VISIBLE_ASCII = re.compile(r"[!-+\--~]+")
"""Without commas, so that it is one value; such a text may be sent back."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_MAX_LENGTH = 300
_CACHED_ORIGINS = 256

ALLOWED_METHODS = "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"
ALLOWED_HEADERS = (
    "Authorization,Content-Type,User-Agent,Accept,X-Requested-With,Openai-Beta,X-Stainless-Arch,X-Stainless-Async,"
    "X-Stainless-Custom-Poll-Interval,X-Stainless-Helper-Method,X-Stainless-Lang,X-Stainless-Os,"
    "X-Stainless-Package-Version,X-Stainless-Poll-Helper,X-Stainless-Retry-Count,X-Stainless-Runtime,"
    "X-Stainless-Runtime-Version,X-Stainless-Timeout,X-Api-Key,Anthropic-Version"
)
"""Ollama's list, and two headers of Anthropic's clients."""

_ALLOWED_HEADERS = frozenset(ALLOWED_HEADERS.lower().split(","))
_MAX_HEADERS = 64


def is_visible_ascii(origin: str) -> bool:
    """Return whether a text can be one origin and may be repeated in an answer."""
    return len(origin) <= _MAX_LENGTH and _VISIBLE_ASCII.fullmatch(origin) is not None


def is_own(origin: str, environ: Mapping[str, Any]) -> bool:
    """Return whether an origin is that of the request itself, over HTTP or HTTPS."""
    host = environ.get("HTTP_HOST", "").lower()
    return origin.lower() in (f"http://{host}", f"https://{host}")


class Origins:
    """The allowed origins. With none configured, no origin is allowed, not even Ollama's own."""

    def __init__(self, allowed: Iterable[str]) -> None:
        """Allow ``allowed``: in lower case, each with at most one ``*``; a bare ``*`` allows any origin."""
        entries = tuple(allowed)
        self.any = ANY in entries
        self._exact = frozenset(entries)
        self._patterns = tuple(entry.partition(ANY)[::2] for entry in entries if ANY in entry and entry != ANY)
        self.lists = lru_cache(_CACHED_ORIGINS)(self._lists)
        """Whether an origin is allowed by more than a plain ``*``."""

    def allows(self, origin: str) -> bool:
        """Return whether pages of that origin may send requests."""
        return self.any or (len(origin) <= _MAX_LENGTH and self.lists(origin))

    def _lists(self, origin: str) -> bool:
        folded = origin.lower()
        if not self._exact or folded == "null" or not is_visible_ascii(origin):
            return False
        return (
            folded in self._exact
            or folded.startswith(_APPS)
            or _LOCAL.fullmatch(folded) is not None
            or any(folded.startswith(start) and folded[len(start) :].endswith(end) for start, end in self._patterns)
        )


def answer_headers(origins: Origins, origin: str) -> list[tuple[str, str]]:
    """Return the headers that let a page of an allowed origin read an answer."""
    if origins.any:
        return [("Access-Control-Allow-Origin", ANY)]
    return [("Access-Control-Allow-Origin", origin), ("Vary", "Origin")]


def preflight_headers(requested: str) -> list[tuple[str, str]]:
    """Return what a preflight adds to :func:`answer_headers`; ``requested`` is the browser's list of header names."""
    names = [name.strip(" \t") for name in requested.split(",")]
    # Anything else than a header name could be an injection.
    further = dict.fromkeys(name for name in names if _TOKEN.fullmatch(name) and name.lower() not in _ALLOWED_HEADERS)
    return [
        ("Access-Control-Allow-Methods", ALLOWED_METHODS),
        ("Access-Control-Allow-Headers", ",".join([ALLOWED_HEADERS, *list(further)[:_MAX_HEADERS]])),
        ("Access-Control-Max-Age", "43200"),
        ("Vary", "Access-Control-Request-Method"),
        ("Vary", "Access-Control-Request-Headers"),
    ]
