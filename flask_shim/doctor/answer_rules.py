"""Rules for responses, as strict as the clients."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flask_shim.doctor.findings import Level
from flask_shim.doctor.probe import ProbeResponse

Fault = Callable[[ProbeResponse], str]
"""Returns what is wrong, "" if nothing is."""


class Rule(NamedTuple):
    """One rule of a client: ``good`` says that a response keeps it, ``remedy`` what to do if not."""

    code: str
    good: str
    fault: Fault
    remedy: str
    level: Level = Level.FAIL


_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_PLAIN_VERSION = re.compile(r"\d+\.\d+\.\d+")
_DIGEST_CHARACTERS = 12

_IMITATION = "Another program, or an old version of the shim, answers here. Update it."
_VERSION = "Leave SHIM_OLLAMA_VERSION out, or set it to a newer one."
_FRONT = "Configure the proxy in front to forward the response unchanged."
_OLD = "Update LM Studio: this version does not report it, so the client guesses."


def _rule(code: str, good: str, remedy: str = _IMITATION, level: Level = Level.FAIL) -> Callable[[Fault], Rule]:
    return lambda fault: Rule(code, good, fault, remedy, level)


@_rule("type", "the content type is JSON", _FRONT)
def is_json(response: ProbeResponse) -> str:
    """Require JSON with its content type; aiohttp reads no other."""
    media = response.headers.get("content-type", "")
    if response.json is None:
        return "the body is not JSON"
    return "" if "application/json" in media else f"its type is {media or 'missing'} in place of application/json"


def version_from(least: str, *, passes_text: bool = False) -> Rule:
    """Require a version of at least ``least``; a part that is no number counts as 0, or the whole text passes."""

    @_rule("version", f"the version is {least} or later", _VERSION)
    def rule(response: ProbeResponse) -> str:
        version = as_dict(response.json).get("version")
        if not isinstance(version, str):
            return "there is no version"
        is_text = passes_text and not _PLAIN_VERSION.match(version)
        if version == "0.0.0" or is_text or _numbers(version) >= _numbers(least):
            return ""
        return f"version {version} is less than {least}"

    return rule


def _numbers(version: str) -> list[int]:
    leading = (re.match(r"\d+", part) for part in version.split("."))
    return [int(found[0]) if found else 0 for found in leading]


@_rule("version", "the version is made of numbers", _VERSION)
def version_of_integers(response: ProbeResponse) -> str:
    """Require numbers between the dots, up to a dash: Open WebUI calls int() on each."""
    version = str(as_dict(response.json).get("version", ""))
    parts = version.removeprefix("v").partition("-")[0].split(".")
    return "" if all(part.isdigit() for part in parts) else f"version {version!r} is not made of numbers"


def lists(*keys: str, rows: str = "models") -> Rule:
    """Require an array ``rows`` whose entries have a text under each of ``keys``."""

    @_rule("list", f"every entry has its {' and '.join(keys)}")
    def rule(response: ProbeResponse) -> str:
        found = as_dict(response.json).get(rows)
        if not isinstance(found, list):
            return f"{rows} is not an array"
        bare = [key for key in keys for row in found if not _is_text(as_dict(row).get(key))]
        return f"entries without {bare[0]}" if bare else ""

    return rule


@_rule("tag", "every name has a tag")
def has_tags(response: ProbeResponse) -> str:
    """Require a tag in every name: clients append ``:latest`` to a name without one, and compare."""
    bare = [row["name"] for row in rows_of(response.json) if _is_text(row.get("name")) and ":" not in row["name"]]
    return f"{bare[0]} has no tag" if bare else ""


@_rule("entries", "every entry has all fields")
def complete_entries(response: ProbeResponse) -> str:
    """Require every field of /api/tags with its type: compiled clients reject the whole list otherwise."""
    return _first_wrong(rows_of(response.json), _ENTRY)


@_rule("entries", "every entry has all fields")
def complete_running(response: ProbeResponse) -> str:
    """Require every field of /api/ps with its type."""
    return _first_wrong(rows_of(response.json), _RUNNING)


@_rule("digest", "no two models share a digest")
def unique_digests(response: ProbeResponse) -> str:
    """Require a different digest for each model: some clients identify models by it."""
    digests = [row.get("digest") for row in rows_of(response.json)]
    return "" if len(set(map(str, digests))) == len(digests) else "models share a digest"


@_rule("show", "every model is described")
def has_description(response: ProbeResponse) -> str:
    """Require ``capabilities`` and ``model_info``."""
    shown = as_dict(response.json)
    if not isinstance(shown.get("capabilities"), list):
        return "no list of capabilities"
    return "" if isinstance(shown.get("model_info"), dict) else "no model_info"


@_rule("context-told", "every model has its context length", _OLD, Level.WARN)
def has_context(response: ProbeResponse) -> str:
    """Require the context length under the name of the architecture; clients guess it otherwise."""
    info = as_dict(as_dict(response.json).get("model_info"))
    architecture = info.get("general.architecture")
    return "" if _is_count(info.get(f"{architecture}.context_length")) else "its context length is missing"


def allows_origin(origin: str) -> Rule:
    """Require that pages of ``origin`` may read the response."""

    @_rule("origin", f"pages of {origin} are allowed", f"Add {origin} to SHIM_ALLOWED_ORIGINS.")
    def rule(response: ProbeResponse) -> str:
        allowed = response.headers.get("access-control-allow-origin", "")
        return "" if allowed in ("*", origin) else f"pages of {origin} are not allowed"

    return rule


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and bool(_RFC3339.fullmatch(value))


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and len(value) >= _DIGEST_CHARACTERS


def _are_details(value: Any) -> bool:
    details = as_dict(value)
    texts = ("format", "family", "parameter_size", "quantization_level")
    families = details.get("families")
    are_families = families is None or (isinstance(families, list) and all(isinstance(one, str) for one in families))
    return all(isinstance(details.get(name), str) for name in texts) and are_families


_NAMED: Mapping[str, Callable[[Any], bool]] = {
    "name": _is_text,
    "model": _is_text,
    "size": _is_count,
    "digest": _is_digest,
}
_ENTRY = {**_NAMED, "modified_at": _is_time, "details": _are_details}
_RUNNING = {**_NAMED, "expires_at": _is_time, "size_vram": _is_count, "context_length": _is_count}


def _first_wrong(rows: list[dict[str, Any]], wanted: Mapping[str, Callable[[Any], bool]]) -> str:
    for row in rows:
        for key, fits in wanted.items():
            if not fits(row.get(key)):
                return f"{row.get('name', 'an entry')}: {key} is {row.get(key)!r}"
    return ""


def rows_of(value: Any, key: str = "models") -> list[dict[str, Any]]:
    """Return the objects of the list under ``key``; what has another form is left out."""
    return [row for row in as_list(as_dict(value).get(key)) if isinstance(row, dict)]


def as_dict(value: Any) -> dict[str, Any]:
    """Return ``value`` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return ``value`` if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []
