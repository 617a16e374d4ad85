"""Every setting as one frozen value, built once from the environment; nothing else in the package reads it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_data_dir

from flask_shim.config.addresses import LOOPBACKS
from flask_shim.config.all_settings import SETTINGS, Setting
from flask_shim.config.backend_settings import BACKEND
from flask_shim.config.reader import Values, choose, read
from flask_shim.config.sources import Source, gather
from flask_shim.config.validation import UNHURRIED_SECONDS, contradictions, derive, without_stray_token

__all__ = ["SETTINGS", "CannotStart", "Config", "ConfigError", "Setting"]

SPARE_THREADS = 8
"""Threads beyond the slots for generations, so that lists and health answer whatever the load."""


_CLIENTS = {
    name
    for setting in SETTINGS
    if setting in BACKEND or setting.env in ("SHIM_ENSURE_MODEL", "SHIM_DEFAULT_REGULAR_MODEL")
    for name in setting.names
}
"""The variables that say something about the way to LM Studio, or which model is wanted there."""


class ConfigError(Exception):
    """The settings can't be used; ``problems`` holds one line for each mistake, with the variable, without secrets."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        """Keep the lines; as text they stand below each other."""
        super().__init__("\n".join(problems))
        self.problems = problems


class CannotStart(ConfigError, SystemExit):
    """The settings of the environment are wrong, and whoever asked for an app with them may not expect it.

    If nobody takes it, the interpreter ends with the lines on standard error and code 1, without a traceback: so under
    ``waitress-serve --call flask_shim:create_app``.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        """Keep the lines, also as what the program ends with."""
        super().__init__(problems)
        self.code = str(self)


def _data_dir() -> Path:
    return Path(user_data_dir("flask-shim", appauthor=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """How the shim is to behave. Lengths of time are seconds; what each field means stands in SETTINGS.

    0 means "no limit" for every timeout but ``connect_timeout`` and ``list_timeout``, and for ``max_stream_bytes``.
    """

    backend_url: str = "http://localhost:1234"
    """Scheme, host, port and perhaps a path; no ``/v1``, no slash at the end."""
    rest_url: str = ""
    """Left empty it becomes ``backend_url``."""
    backend_token: str = field(default="", repr=False)
    first_byte_timeout: float = UNHURRIED_SECONDS
    idle_timeout: float = 300.0
    total_timeout: float = 0.0
    connect_timeout: float = 3.0
    list_timeout: float = 10.0
    load_timeout: float = 600.0
    max_connections: int = 0
    """Left at 0 it becomes ``max_streams`` and a few more, at least 50."""
    max_keepalive_connections: int = 20
    request_retries: int = 1
    request_retry_backoff: float = 0.25
    verify_ssl: bool = True
    ca_file: Path | None = None
    model_cache_ttl: float = 30.0
    model_selector_cache_size: int = 256
    stream_chunk_size: int = 131_072
    max_line_bytes: int = 1024 * 1024
    max_stream_bytes: int = 64 * 1024 * 1024

    hosts: tuple[str, ...] = LOOPBACKS
    """Addresses without brackets, names, or ``*`` for everywhere."""
    port: int = 11434
    max_streams: int = 64
    threads: int = 0
    """Left at 0 it becomes ``max_streams`` and a few more."""
    workers: int = 1
    connection_limit: int = 1000
    drain_seconds: float = 10.0
    drain_delay: float = 0.0
    debug: bool = False
    log_file: Path | None = None
    log_max_bytes: int = 10 * 1024 * 1024
    log_backups: int = 5
    data_dir: Path = field(default_factory=_data_dir)

    api_keys: tuple[str, ...] = field(default=(), repr=False)
    allow_open: bool = False
    allowed_origins: tuple[str, ...] = ("http://localhost", "http://127.0.0.1")
    """Lower case, one ``*`` at most in each."""
    allowed_hosts: tuple[str, ...] = ()
    """Lower case, without ports and brackets."""
    max_request_bytes: int = 256 * 1024 * 1024
    read_only: bool = False
    allow_mcp: bool = False
    metrics: bool = True

    ollama_version: str = "0.32.15"
    default_ttl: float = 0.0
    """0 leaves it to LM Studio, ``math.inf`` is forever."""
    unload_ttl: float = 0.0
    default_temperature: float | None = 0.8
    """None leaves it to LM Studio."""
    default_system_prompt: str = field(default="", repr=False)
    default_stop: tuple[str, ...] = ()
    default_context: int = 0
    generate_via: Literal["chat", "completions"] = "chat"
    reasoning: Literal["separate", "merge", "hide"] = "separate"
    default_regular_model: str = "qwen/qwen3-4b-2507"
    default_vision_model: str = "qwen3-vl-4b-instruct"
    preload: tuple[str, ...] = ()
    ensure_model: str = "openai/gpt-oss-20b"

    notes: tuple[str, ...] = field(default=(), compare=False)
    """Lines for the log at start: which other name won, what has no effect, what looks like a typing error."""

    def __post_init__(self) -> None:
        """Fill the fields that follow from others."""
        if not self.rest_url:
            object.__setattr__(self, "rest_url", self.backend_url)
        if not self.threads:
            object.__setattr__(self, "threads", self.max_streams + SPARE_THREADS)
        if not self.max_connections:
            object.__setattr__(self, "max_connections", max(50, self.max_streams + SPARE_THREADS))

    def spare_threads(self, eighths: int) -> int:
        """Return so many eighths of the threads that generations never get, but one at least.

        What may keep such a thread for long gets its share of them here, so that something is always left.
        """
        return max(1, (self.threads - self.max_streams) * eighths // 8)

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        env_file: str | None = None,
        overrides: Mapping[str, str] | None = None,
    ) -> Config:
        """Build it from the environment over the settings file, or raise ConfigError with all mistakes at once.

        ``env_file`` beats SHIM_ENV_FILE and ``.env`` in the current folder; an empty one means no file.
        ``overrides`` are texts by variable, as from a command line, and win over everything.
        """
        return cls._built(gather(os.environ if environ is None else environ, env_file, overrides or {}))

    @classmethod
    def for_client(cls, environ: Mapping[str, str] | None = None, *, env_file: str | None = None) -> Config:
        """Build it as :meth:`from_env` does, for a program that only wants to speak to LM Studio.

        What concerns the shim as a server keeps its default: such a program has a HOST or PORT of its own.
        """
        source = gather(os.environ if environ is None else environ, env_file, {})
        texts = {name: text for name, text in source.texts.items() if name in _CLIENTS}
        return cls._built(replace(source, texts=texts))

    @classmethod
    def _built(cls, source: Source) -> Config:
        choices, token_notes = without_stray_token(choose(source.texts))
        values = read(choices)
        derive(values)
        problems = source.problems + values.problems + contradictions(values)
        if problems:
            raise ConfigError(problems)
        return cls(**_fields(values), notes=(*source.notes, *token_notes, *values.notes))


def _fields(values: Values) -> dict[str, Any]:
    return {s.field: values.found[s.env] for s in SETTINGS if s.field and s.env in values.found}
