"""The table ``[[backend]]`` of ``flask-shim.toml``: one of several LM Studios."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from flask_shim.config import parsers
from flask_shim.config.addresses import backend_root
from flask_shim.config.toml_tables import toml_key
from flask_shim.config.toml_values import flag, integer, text

LMS = "lms"
"""The value of ``wake`` that starts LM Studio on this machine."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")
_MAC_ADDRESS = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}")


def _name(value: Any) -> str:
    """Parse a name. ``NAME/model`` must be a model's name for Ollama's clients.

    There, the part before a single slash has no dot and at most 80 characters (ollama, types/model/name.go).
    """
    found = text(value)
    if not _NAME.fullmatch(found):
        raise ValueError('Write up to 80 of a-z, 0-9, "-" and "_", the first a letter or digit, such as "desktop".')
    return found


def _wake(value: Any) -> str:
    """Return ``lms``, or a MAC address such as ``AA:BB:CC:DD:EE:FF``."""
    found = text(value)
    address = found.upper().replace("-", ":")
    if found != LMS and not _MAC_ADDRESS.fullmatch(address):
        raise ValueError(f'Must be "{LMS}", or a MAC address such as "AA:BB:CC:DD:EE:FF".')
    return found if found == LMS else address


@dataclass(frozen=True, kw_only=True)
class BackendTable:
    """How to reach one LM Studio, and how much of the work it gets."""

    name: str = toml_key(_name, "Name of the machine.", '"desktop"', default="", is_required=True)
    url: str = toml_key(
        lambda value: backend_root(text(value).strip()),
        "URL of LM Studio, with or without `/v1`.",
        '"http://192.168.1.20:1234"',
        default="",
        is_required=True,
    )
    token: str = toml_key(
        lambda value: parsers.key(text(value)),
        "API token of that LM Studio; clients never see it.",
        '"sk-lm-12345678:abc"',
        default="",
        is_secret=True,
    )
    priority: int = toml_key(
        integer(-1000, 1000), "The higher one is preferred where nothing else decides.", "10", default=0
    )
    max_streams: int | None = toml_key(integer(1), "Most generations there at the same time.", "4")
    drain: bool = toml_key(flag, "Whether it gets no new requests.", "true", default=False)
    wake: str = toml_key(
        _wake,
        'How it is started if it does not answer: `"lms"` = with LM Studio\'s `lms` tool on this machine, a MAC '
        "address = with Wake-on-LAN.",
        '"AA:BB:CC:DD:EE:FF"',
        default="",
    )
    line: int = 0


def repetitions(backends: Sequence[BackendTable]) -> Iterator[tuple[int, str]]:
    """Yield the index of each table whose name or URL another one before it has, and what is wrong."""
    for index, backend in enumerate(backends):
        for key in ("name", "url"):
            value = getattr(backend, key)
            same = next((each for each in backends[:index] if value and getattr(each, key) == value), None)
            if same is not None:
                yield index, f"{key}: {value} is that of the backend in line {same.line}; each has its own."
