"""What one setting means for another: values that follow from others, and combinations that can't be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from flask_shim.config import addresses
from flask_shim.config.reader import Choice, Values

WINDOWS_CONNECTIONS = 500
"""select() takes 512 sockets on Windows; the listening ones are among them."""

UNHURRIED_SECONDS = 600.0
"""First byte: a large model may have to be loaded and a long prompt read before anything comes."""


def without_stray_token(choices: Mapping[str, Choice]) -> tuple[dict[str, Choice], list[str]]:
    """Leave OPENAI_API_KEY alone unless OPENAI_BASE_URL says that it is meant for LM Studio.

    Many machines have that variable set for the real service; such a key must not travel to another server.
    """
    token, base = choices["SHIM_LMSTUDIO_TOKEN"], choices["SHIM_LMSTUDIO_BASE"]
    if token.name != "OPENAI_API_KEY" or base.name == "OPENAI_BASE_URL":
        return dict(choices), []
    unset = replace(token, name=token.setting.env, text="", is_set=False)
    note = "OPENAI_API_KEY is not sent to LM Studio, because OPENAI_BASE_URL is not in use; set SHIM_LMSTUDIO_TOKEN"
    return {**choices, token.setting.env: unset}, [note]


def derive(values: Values) -> None:
    """Fill in and adapt what follows from other settings."""
    for rule in (_timeouts, _ensure_model, _extra_origins, _keep_alive, _windows_connections, _backend_connections):
        rule(values)


def _timeouts(values: Values) -> None:
    if "SHIM_HTTP_TIMEOUT" in values.failed:
        return
    general = values.found["SHIM_HTTP_TIMEOUT"]
    first_byte = general if values.is_set("SHIM_HTTP_TIMEOUT") else UNHURRIED_SECONDS
    values.found.setdefault("SHIM_FIRST_BYTE_TIMEOUT", first_byte)
    values.found.setdefault("SHIM_IDLE_TIMEOUT", general)


def _ensure_model(values: Values) -> None:
    if values.is_set("SHIM_DEFAULT_REGULAR_MODEL") and "SHIM_DEFAULT_REGULAR_MODEL" in values.found:
        values.found.setdefault("SHIM_ENSURE_MODEL", values.found["SHIM_DEFAULT_REGULAR_MODEL"])


def _extra_origins(values: Values) -> None:
    extra = values.found.get("OLLAMA_ORIGINS")
    if extra and "SHIM_ALLOWED_ORIGINS" in values.found:
        both = values.found["SHIM_ALLOWED_ORIGINS"] + extra
        values.found["SHIM_ALLOWED_ORIGINS"] = tuple(dict.fromkeys(both))
        values.notes.append(f"OLLAMA_ORIGINS adds {','.join(extra)} to {values.name_of('SHIM_ALLOWED_ORIGINS')}")


def _keep_alive(values: Values) -> None:
    is_ollamas = values.name_of("SHIM_DEFAULT_TTL_SECONDS") == "OLLAMA_KEEP_ALIVE"
    # Ollama's 0 is "unload at once"; ours is "leave it to LM Studio", whose TTLs begin at one second.
    if is_ollamas and values.found.get("SHIM_DEFAULT_TTL_SECONDS") == 0:
        values.found["SHIM_DEFAULT_TTL_SECONDS"] = 1.0
        values.notes.append("OLLAMA_KEEP_ALIVE=0 becomes one idle second, the least LM Studio takes")


def _windows_connections(values: Values) -> None:
    if addresses.IS_WINDOWS and values.found.get("SHIM_CONNECTION_LIMIT", 0) > WINDOWS_CONNECTIONS:
        values.found["SHIM_CONNECTION_LIMIT"] = WINDOWS_CONNECTIONS
        if values.is_set("SHIM_CONNECTION_LIMIT"):
            values.notes.append(f"SHIM_CONNECTION_LIMIT lowered to {WINDOWS_CONNECTIONS}, the most Windows can watch")


def _backend_connections(values: Values) -> None:
    """Every stream needs a connection, so a limit that was set on purpose limits the streams as well."""
    most, streams = values.found.get("SHIM_MAX_CONNECTIONS"), values.found.get("SHIM_MAX_STREAMS")
    if most is not None and streams is not None and most < streams:
        values.found["SHIM_MAX_STREAMS"] = most
        values.notes.append(
            f"{values.name_of('SHIM_MAX_STREAMS')} lowered to {most}: SHIM_MAX_CONNECTIONS allows no more"
        )


def contradictions(values: Values) -> tuple[str, ...]:
    """Tell which settings can't stand together; a rule is silent when one of its settings can't be read anyway."""
    found = [check(values) for needed, check in _CHECKS if values.failed.isdisjoint(needed)]
    return tuple(problem for problem in found if problem)


def _open_to_others(values: Values) -> str | None:
    wide = [host for host in values.found["SHIM_HOST"] if not addresses.is_loopback(host)]
    if not wide or "SHIM_API_KEY" in values.found or values.found["SHIM_ALLOW_OPEN"]:
        return None
    return (
        f"{values.name_of('SHIM_HOST')}: Other machines can reach {', '.join(wide)}; "
        "set SHIM_API_KEY, or SHIM_ALLOW_OPEN=1 to serve them all on purpose."
    )


def _threads_too_few(values: Values) -> str | None:
    threads, streams = values.found.get("SHIM_THREADS"), values.found["SHIM_MAX_STREAMS"]
    if threads is None or threads > streams:
        return None
    return f"SHIM_THREADS={threads}: Must be more than {values.name_of('SHIM_MAX_STREAMS')}, which is {streams}."


_CHECKS: tuple[tuple[frozenset[str], Callable[[Values], str | None]], ...] = (
    (frozenset({"SHIM_HOST", "SHIM_API_KEY", "SHIM_ALLOW_OPEN"}), _open_to_others),
    (frozenset({"SHIM_THREADS", "SHIM_MAX_STREAMS"}), _threads_too_few),
)
