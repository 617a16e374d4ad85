"""What clients insist on in an answer, each as a function of the answer that returns what is wrong, "" if nothing is.

Pure. Each is as strict as the clients that it stands for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from flask_shim.doctor.probe import ProbeResponse

Fault = Callable[[ProbeResponse], str]

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_DIGEST_CHARACTERS = 12


def is_json(heard: ProbeResponse) -> str:
    """Want JSON that says so: aiohttp reads no other."""
    media = heard.headers.get("content-type", "")
    if heard.json is None:
        return "the body is not JSON"
    return "" if "application/json" in media else f"its type is {media or 'missing'} in place of application/json"


def version_from(least: str, passes_text: bool = False) -> Fault:
    """Want a version of at least ``least``: what is no number counts as 0, or passes altogether."""

    def fault(heard: ProbeResponse) -> str:
        version = _dict(heard.json).get("version")
        if not isinstance(version, str):
            return "there is no version"
        if version == "0.0.0" or (passes_text and not _VERSION.match(version)) or _numbers(version) >= _numbers(least):
            return ""
        return f"version {version} is less than {least}"

    return fault


def _numbers(version: str) -> list[int]:
    leading = (re.match(r"\d+", part) for part in version.split("."))
    return [int(found[0]) if found else 0 for found in leading]


def version_of_integers(heard: ProbeResponse) -> str:
    """Want nothing but numbers between the dots, in front of a dash: Open WebUI calls int() on each."""
    version = str(_dict(heard.json).get("version", ""))
    parts = version.removeprefix("v").partition("-")[0].split(".")
    return "" if all(part.isdigit() for part in parts) else f"version {version!r} is not made of numbers"


def lists(rows: str, *keys: str) -> Fault:
    """Want an array ``rows`` whose entries all have texts under ``keys``."""

    def fault(heard: ProbeResponse) -> str:
        found = _dict(heard.json).get(rows)
        if not isinstance(found, list):
            return f"{rows} is not an array"
        bare = [key for key in keys for row in found if not _is_text(_dict(row).get(key))]
        return f"entries without {bare[0]}" if bare else ""

    return fault


def tagged(heard: ProbeResponse) -> str:
    """Require a tag in every name: clients append ``:latest`` to a name without one, and compare."""
    bare = [row["name"] for row in _rows(heard) if _is_text(row.get("name")) and ":" not in row["name"]]
    return f"{bare[0]} has no tag" if bare else ""


def whole_entries(heard: ProbeResponse) -> str:
    """Want every field of /api/tags in its type: compiled clients take the whole list or none of it."""
    return _first_wrong(_rows(heard), _ENTRY)


def whole_running(heard: ProbeResponse) -> str:
    """Want every field of /api/ps in its type."""
    return _first_wrong(_rows(heard), _RUNNING)


def own_digests(heard: ProbeResponse) -> str:
    """Want a digest for every model that no other has: some clients tell models apart by it."""
    digests = [row.get("digest") for row in _rows(heard)]
    return "" if len(set(map(str, digests))) == len(digests) else "models share a digest"


def described(heard: ProbeResponse) -> str:
    """Want ``capabilities`` and ``model_info`` as they ought to be."""
    shown = _dict(heard.json)
    if not isinstance(shown.get("capabilities"), list):
        return "no list of capabilities"
    return "" if isinstance(shown.get("model_info"), dict) else "no model_info"


def tells_context(heard: ProbeResponse) -> str:
    """Want the context's length under the name of the architecture; clients guess without."""
    info = _dict(_dict(heard.json).get("model_info"))
    architecture = info.get("general.architecture")
    return "" if _is_count(info.get(f"{architecture}.context_length")) else "the length of its context is not told"


def welcomes(origin: str) -> Fault:
    """Want a page of ``origin`` let in."""

    def fault(heard: ProbeResponse) -> str:
        allowed = heard.headers.get("access-control-allow-origin", "")
        return "" if allowed in ("*", origin) else f"pages of {origin} are not let in"

    return fault


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and bool(_RFC3339.fullmatch(value))


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and len(value) >= _DIGEST_CHARACTERS


def _are_details(value: Any) -> bool:
    details = _dict(value)
    texts = ("format", "family", "parameter_size", "quantization_level")
    families = details.get("families")
    are_families = families is None or (isinstance(families, list) and all(isinstance(one, str) for one in families))
    return all(isinstance(details.get(name), str) for name in texts) and are_families


_ENTRY: Mapping[str, Callable[[Any], bool]] = {
    "name": _is_text,
    "model": _is_text,
    "modified_at": _is_time,
    "size": _is_count,
    "digest": _is_digest,
    "details": _are_details,
}
_RUNNING: Mapping[str, Callable[[Any], bool]] = {
    "name": _is_text,
    "model": _is_text,
    "expires_at": _is_time,
    "size": _is_count,
    "size_vram": _is_count,
    "context_length": _is_count,
    "digest": _is_digest,
}


def _first_wrong(rows: list[dict[str, Any]], wanted: Mapping[str, Callable[[Any], bool]]) -> str:
    for row in rows:
        for key, fits in wanted.items():
            if not fits(row.get(key)):
                return f"{row.get('name', 'an entry')}: {key} is {row.get(key)!r}"
    return ""


def _rows(heard: ProbeResponse) -> list[dict[str, Any]]:
    rows = _dict(heard.json).get("models")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
