"""Where LM Studio is, where the shim listens, and who may come: forms for URLs, hosts and origins."""

from __future__ import annotations

import ipaddress
import re
import sys
from itertools import chain
from urllib.parse import SplitResult, urlsplit

from environs import ValidationError

from flask_shim.config.parsers import json_texts, parsed, split
from flask_shim.config.setting import Form

IS_WINDOWS = sys.platform == "win32"
LOOPBACKS = ("127.0.0.1", "::1")
EVERYWHERE = "*"

_NAME = re.compile(r"(?!(.*\.)?[0-9]+\Z)(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@]+")
_API_PATH = re.compile(r"(/(api/)?v[0-9]+)?(/chat/completions)?\Z")


def backend_root() -> Form:
    """Take the URL of a backend, without the part of its path behind which the APIs begin."""
    return parsed(_to_root)


def _to_root(raw: str) -> str:
    parts = _split_url(raw)
    if parts.scheme not in {"http", "https"} or not parts.hostname or re.search(r"\s", parts.netloc + parts.path):
        raise ValidationError("Not an http or https URL such as http://localhost:1234/v1.")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValidationError("Only host, port and path belong here; a key goes into SHIM_LMSTUDIO_TOKEN.")
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{bracketed(parts.hostname)}{port}{_API_PATH.sub('', parts.path.rstrip('/'))}"


def _split_url(raw: str) -> SplitResult:
    try:
        parts = urlsplit(raw if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:/", raw) else f"http://{raw}")
        _ = parts.port  # a bad one shows only when it is asked for
    except ValueError as exc:
        raise ValidationError(f"Not a URL: {exc}.") from exc
    return parts


def bracketed(host: str) -> str:
    """Return the host as it is written before a port."""
    return f"[{host}]" if ":" in host else host


def bind_hosts() -> Form:
    """Take addresses to listen on: ``localhost`` is both loopbacks, ``*`` is what waitress takes for everywhere."""
    return parsed(_to_binds)


def _to_binds(raw: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(_to_bind(entry.lower()) for entry in split(raw))))


def _to_bind(entry: str) -> tuple[str, ...]:
    if entry == "localhost":
        return LOOPBACKS
    return (EVERYWHERE if entry == EVERYWHERE else _to_host(entry),)


def _to_host(entry: str) -> str:
    """Check one host: an address, an IPv6 one with or without brackets, or a name; never with a port."""
    bare = entry[1:-1] if entry.startswith("[") and entry.endswith("]") else entry
    if is_address(bare) or _NAME.fullmatch(bare):
        return bare
    raise ValidationError(f"Not a host name or address: {entry!r} (a port goes into SHIM_PORT).")


def is_address(host: str) -> bool:
    """Whether that is an IPv4 or IPv6 address, without brackets."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach that host; a name other than localhost may lead anywhere."""
    return ipaddress.ip_address(host).is_loopback if is_address(host) else host == "localhost"


def host_names() -> Form:
    """Take names and addresses that may stand in a Host header, without ports."""
    return parsed(lambda raw: tuple(dict.fromkeys(_to_host(entry.lower().rstrip(".")) for entry in split(raw))))


def origins() -> Form:
    """Take origins, comma-separated or as a JSON array; one ``*`` per entry stands for any run of characters."""
    return parsed(_to_origins)


def _to_origins(raw: str) -> tuple[str, ...]:
    entries = json_texts(raw) if raw.lstrip().startswith("[") else split(raw)
    return tuple(dict.fromkeys(_to_origin(entry.strip().lower().rstrip("/")) for entry in entries))


def _to_origin(entry: str) -> str:
    is_pattern = entry.count("*") == 1 and not re.search(r"\s", entry)
    if is_pattern or ("*" not in entry and _ORIGIN.fullmatch(entry)):
        return entry
    raise ValidationError(f"Not an origin such as http://localhost:3000, with one * at most: {entry!r}.")
