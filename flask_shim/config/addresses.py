"""Parsers of settings for URLs, hosts and origins, and what is known about a host by its text."""

from __future__ import annotations

import ipaddress
import re
import sys
from urllib.parse import SplitResult, urlsplit

from flask_shim.config.parsers import comma_separated, json_texts

IS_WINDOWS = sys.platform == "win32"
LOOPBACKS = ("127.0.0.1", "::1")
EVERYWHERE = "*"

_NAME = re.compile(r"(?!(.*\.)?[0-9]+\Z)(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@]+")
_API_PATH = re.compile(r"(/(api/)?v[0-9]+)?(/chat/completions)?\Z")


def backend_root(text: str) -> str:
    """Parse the URL of a backend; drop the part of its path that belongs to an API, such as ``/v1``."""
    parts = _split_url(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or re.search(r"\s", parts.netloc + parts.path):
        raise ValueError("Not an http or https URL such as http://localhost:1234/v1.")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError(
            "Only host, port and path belong here; a key goes into SHIM_LMSTUDIO_TOKEN, or the token of a backend."
        )
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{bracketed(parts.hostname)}{port}{_API_PATH.sub('', parts.path.rstrip('/'))}"


def _split_url(text: str) -> SplitResult:
    try:
        parts = urlsplit(text if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:/", text) else f"http://{text}")
        _ = parts.port  # urlsplit checks the port only when it is read
    except ValueError as exc:
        raise ValueError(f"Not a URL: {exc}.") from exc
    return parts


def bracketed(host: str) -> str:
    """Return the host as it is written in front of a port."""
    return f"[{host}]" if ":" in host else host


def bind_hosts(text: str) -> tuple[str, ...]:
    """Parse addresses to listen on: ``localhost`` is both loopbacks, ``*`` is every address."""
    hosts: dict[str, None] = {}  # ordered and without repetitions
    for entry in comma_separated(text.lower()):
        if entry == "localhost":
            hosts |= dict.fromkeys(LOOPBACKS)
        else:
            hosts[EVERYWHERE if entry == EVERYWHERE else _to_host(entry)] = None
    if not hosts:
        raise ValueError("No address between the commas.")
    return tuple(hosts)


def _to_host(entry: str) -> str:
    """Parse an address, in brackets or not, or a name; without a port."""
    bare = entry[1:-1] if entry.startswith("[") and entry.endswith("]") else entry
    if is_address(bare) or _NAME.fullmatch(bare):
        return bare
    raise ValueError(f"Not a host name or address: {entry!r} (a port goes into SHIM_PORT).")


def with_port(text: str, default: int) -> str:
    """Parse the address of a server such as ``box``, ``box:11434`` or ``[fd00::1]:11434``; return it with its port."""
    parts = _split_url(f"http://{text.lower()}")
    host = parts.hostname or ""
    is_host = is_address(host) or _NAME.fullmatch(host) is not None
    if parts.netloc != text.lower() or "@" in text or not is_host or parts.port == 0:
        raise ValueError(f"Not an address such as box:11434 or [fd00::1]:11434: {text!r}.")
    return f"{bracketed(host)}:{parts.port or default}"


def is_address(host: str) -> bool:
    """Return whether the host is an IPv4 or IPv6 address without brackets."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach the host; a name other than localhost may resolve to any address."""
    return ipaddress.ip_address(host).is_loopback if is_address(host) else host == "localhost"


def host_names(text: str) -> tuple[str, ...]:
    """Parse names and addresses to accept in a Host header, without ports."""
    return tuple(dict.fromkeys(_to_host(entry.lower().rstrip(".")) for entry in comma_separated(text)))


def origins(text: str) -> tuple[str, ...]:
    """Parse origins, comma-separated or as a JSON array; one ``*`` in each matches any characters."""
    entries = json_texts(text) if text.lstrip().startswith("[") else comma_separated(text)
    return tuple(dict.fromkeys(_to_origin(entry.strip().lower().rstrip("/")) for entry in entries))


def _to_origin(entry: str) -> str:
    is_pattern = entry.count("*") == 1 and not re.search(r"\s", entry)
    if is_pattern or ("*" not in entry and _ORIGIN.fullmatch(entry)):
        return entry
    raise ValueError(f"Not an origin such as http://localhost:3000, with one * at most: {entry!r}.")
