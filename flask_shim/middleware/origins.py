"""Which web pages may ask: Ollama's list and the configured one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

ANY = "*"

_LOCAL = re.compile(r"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::[0-9]{1,5})?")
_APPS = ("app://", "file://", "tauri://", "vscode-webview://", "vscode-file://")
_SOUND = re.compile(r"[!-+\--~]+")
"""Visible ASCII without commas, so one value; such a text may be sent back."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_LONGEST = 300
_REMEMBERED = 256

ALLOWED_METHODS = "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"
ALLOWED_HEADERS = (
    "Authorization,Content-Type,User-Agent,Accept,X-Requested-With,Openai-Beta,X-Stainless-Arch,X-Stainless-Async,"
    "X-Stainless-Custom-Poll-Interval,X-Stainless-Helper-Method,X-Stainless-Lang,X-Stainless-Os,"
    "X-Stainless-Package-Version,X-Stainless-Poll-Helper,X-Stainless-Retry-Count,X-Stainless-Runtime,"
    "X-Stainless-Runtime-Version,X-Stainless-Timeout,X-Api-Key,Anthropic-Version"
)
"""Ollama's, and the two that Anthropic's clients send."""

_ALLOWED_HEADERS = frozenset(ALLOWED_HEADERS.lower().split(","))
_MOST_HEADERS = 64


def is_sound(origin: str) -> bool:
    """Whether that can be one origin: nothing in it but visible ASCII."""
    return len(origin) <= _LONGEST and _SOUND.fullmatch(origin) is not None


class Origins:
    """The origins that may ask. Without any configured one, none may, Ollama's own neither."""

    def __init__(self, allowed: Iterable[str]) -> None:
        """Allow ``allowed``: lower case, ``*`` for any, one ``*`` at most inside each."""
        entries = tuple(allowed)
        self.any = ANY in entries
        self._exact = frozenset(entries)
        self._patterns = tuple(entry.partition(ANY)[::2] for entry in entries if ANY in entry and entry != ANY)
        self.lists = lru_cache(_REMEMBERED)(self._lists)
        """Whether an origin is allowed by more than a plain ``*``."""

    def allows(self, origin: str) -> bool:
        """Whether pages of that origin may ask."""
        return self.any or (len(origin) <= _LONGEST and self.lists(origin))

    def _lists(self, origin: str) -> bool:
        folded = origin.lower()
        if not self._exact or folded == "null" or not is_sound(origin):
            return False
        return (
            folded in self._exact
            or folded.startswith(_APPS)
            or _LOCAL.fullmatch(folded) is not None
            or any(_fits(folded, start, end) for start, end in self._patterns)
        )


def _fits(origin: str, start: str, end: str) -> bool:
    return len(origin) >= len(start) + len(end) and origin.startswith(start) and origin.endswith(end)


def answer_headers(origins: Origins, origin: str) -> list[tuple[str, str]]:
    """Return the headers with which an allowed page may read an answer."""
    if origins.any:
        return [("Access-Control-Allow-Origin", ANY)]
    return [("Access-Control-Allow-Origin", origin), ("Vary", "Origin")]


def preflight_headers(requested: str) -> list[tuple[str, str]]:
    """Return what a preflight adds to :func:`answer_headers`. ``requested`` is the list of names the browser sent."""
    return [
        ("Access-Control-Allow-Methods", ALLOWED_METHODS),
        ("Access-Control-Allow-Headers", ",".join([ALLOWED_HEADERS, *_further(requested)])),
        ("Access-Control-Max-Age", "43200"),
        ("Vary", "Access-Control-Request-Method"),
        ("Vary", "Access-Control-Request-Headers"),
    ]


def _further(requested: str) -> list[str]:
    """Return the names that are not allowed anyway; what is no header name is dropped, it could be an injection."""
    names = (name.strip(" \t") for name in requested.split(","))
    sound = [name for name in names if _TOKEN.fullmatch(name) and name.lower() not in _ALLOWED_HEADERS]
    return list(dict.fromkeys(sound))[:_MOST_HEADERS]
