"""Rules between settings: values that follow from others, and combinations that are refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flask_shim.config import addresses
from flask_shim.config.backend_table import BackendTable
from flask_shim.config.reader import Choice, Values

if TYPE_CHECKING:
    from flask_shim.config import Config

WINDOWS_CONNECTIONS = 500
"""select() on Windows takes 512 sockets, the listening ones included (CPython's FD_SETSIZE)."""


def without_stray_token(choices: Mapping[str, Choice]) -> tuple[dict[str, Choice], list[str]]:
    """Ignore OPENAI_API_KEY unless OPENAI_BASE_URL is in use.

    Many machines have that variable set for OpenAI's service; such a key must not go to another server.
    """
    token, base = choices.get("backend_token"), choices.get("backend_url")
    if token is None or token.name != "OPENAI_API_KEY" or (base is not None and base.name == "OPENAI_BASE_URL"):
        return dict(choices), []
    note = "OPENAI_API_KEY is not sent to LM Studio, because OPENAI_BASE_URL is not in use; set SHIM_LMSTUDIO_TOKEN"
    return {field: choice for field, choice in choices.items() if field != "backend_token"}, [note]


def use_backend_tables(values: Values, backends: Sequence[BackendTable]) -> None:
    """Let the tables ``[[backend]]`` win over the settings of the connection, which follow the preferred one.

    A token of the settings must not go to a machine that a table names.
    """
    ignored = {"SHIM_LMSTUDIO_BASE", "SHIM_LMSTUDIO_REST_BASE", "SHIM_LMSTUDIO_TOKEN"}
    values.notes += [
        f"{choice.name} has no effect: the tables [[backend]] say where LM Studio is"
        for choice in values.choices.values()
        if backends and choice.setting.env in ignored
    ]
    values.found |= connection_of(backends)


def connection_of(backends: Sequence[BackendTable]) -> dict[str, Any]:
    """Return the settings of the connection that follow from the tables ``[[backend]]``."""
    if not backends:
        return {}
    first = max(backends, key=lambda backend: backend.priority)
    return {"backend_url": first.url, "rest_url": first.url, "backend_token": first.token}


def derive(values: Values, defaults: Config) -> None:
    """Add and adapt the values that follow from other settings."""
    found = values.found
    if "http_timeout" in found:
        found.setdefault("first_byte_timeout", found["http_timeout"])
        found.setdefault("idle_timeout", found["http_timeout"])
    if "default_regular_model" in found:
        found.setdefault("ensure_model", found["default_regular_model"])
    # Ollama's 0 unloads at once; the shim's 0 leaves it to LM Studio, whose TTLs begin at one second.
    if values.name_of("default_ttl", "") == "OLLAMA_KEEP_ALIVE" and found.get("default_ttl") == 0:
        found["default_ttl"] = 1.0
        values.notes.append("OLLAMA_KEEP_ALIVE=0 becomes one idle second, LM Studio's minimum")
    if addresses.IS_WINDOWS and found.get("connection_limit", defaults.connection_limit) > WINDOWS_CONNECTIONS:
        if "connection_limit" in found:
            values.notes.append(f"SHIM_CONNECTION_LIMIT lowered to {WINDOWS_CONNECTIONS}, the most Windows can watch")
        found["connection_limit"] = WINDOWS_CONNECTIONS
    _add_origins(values, defaults.allowed_origins)
    _limit_streams(values, defaults.max_streams)


def _add_origins(values: Values, default: tuple[str, ...]) -> None:
    extra = values.found.get("extra_origins")
    if extra and "allowed_origins" not in values.failed:
        both = values.found.get("allowed_origins", default) + extra
        values.found["allowed_origins"] = tuple(dict.fromkeys(both))
        name = values.name_of("allowed_origins", "SHIM_ALLOWED_ORIGINS")
        values.notes.append(f"OLLAMA_ORIGINS adds {','.join(extra)} to {name}")


def _limit_streams(values: Values, default: int) -> None:
    """Lower the number of streams to the connections that were set: each stream needs one."""
    limit = values.found.get("max_connections")
    if limit is not None and "max_streams" not in values.failed and limit < values.found.get("max_streams", default):
        name = values.name_of("max_streams", "SHIM_MAX_STREAMS")
        values.found["max_streams"] = limit
        values.notes.append(f"{name} lowered to {limit}: SHIM_MAX_CONNECTIONS allows no more")


def contradictions(values: Values, defaults: Config) -> list[str]:
    """Return the problems of combinations; a rule with an invalid setting is skipped."""
    problems = []
    found = values.found
    exposed = [host for host in found.get("hosts", defaults.hosts) if not addresses.is_loopback(host)]
    is_intended = found.get("api_keys") or found.get("allow_open")
    if exposed and not is_intended and values.failed.isdisjoint({"api_keys", "allow_open"}):
        problems.append(
            f"{values.name_of('hosts', 'SHIM_HOST')}: Other machines can reach {', '.join(exposed)}; "
            "set SHIM_API_KEY, or SHIM_ALLOW_OPEN=1 to serve them all on purpose."
        )
    threads, streams = found.get("threads"), found.get("max_streams", defaults.max_streams)
    spare = defaults.threads - defaults.max_streams if found.get("queue_seconds") else 0
    if threads is not None and threads <= streams + spare and "max_streams" not in values.failed:
        name = values.name_of("max_streams", "SHIM_MAX_STREAMS")
        more = f", and by more than {spare} because of SHIM_QUEUE_SECONDS" if spare else ""
        problems.append(f"SHIM_THREADS={threads}: Must be more than {name}, which is {streams}{more}.")
    return problems
