"""The settings as one frozen value, read from the environment. No other package reads the environment."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from flask_shim.config import shim_file
from flask_shim.config.backend_settings import BackendSettings
from flask_shim.config.behavior_settings import BehaviorSettings
from flask_shim.config.parsers import existing_file, path
from flask_shim.config.reader import Setting, Values, choose, settings_of
from flask_shim.config.server_settings import AccessSettings, ServerSettings
from flask_shim.config.shim_file import ShimFile
from flask_shim.config.sources import Source, gather
from flask_shim.config.validation import connection_of, contradictions, derive, use_backend_tables, without_stray_token

__all__ = ["GROUPS", "SETTINGS", "SPARE_THREADS", "Config", "ConfigError", "Setting"]

SPARE_THREADS = 8
"""Threads in addition to those of generations and the queue, so that lists and health answer under any load."""

QUEUE_THREADS = 64
"""Threads on which requests wait for a slot, if they may."""


class ConfigError(Exception):
    """The settings are invalid; ``problems`` has one line for each mistake, with the variable and without secrets."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        """Keep the lines; ``str()`` joins them."""
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, kw_only=True)
class Config(BackendSettings, BehaviorSettings, ServerSettings, AccessSettings):
    """All settings of the shim. Durations are seconds.

    0 means "no limit" for every timeout except ``connect_timeout`` and ``list_timeout``, and for ``max_stream_bytes``.
    """

    notes: tuple[str, ...] = field(default=(), compare=False)
    """Lines for the log at start: which fallback name was used, what has no effect, likely typing errors."""
    configured: frozenset[str] = field(default=frozenset(), compare=False, repr=False)
    """The fields that a variable, the settings file or an option sets."""
    file: ShimFile = field(default=ShimFile(), compare=False)
    """The tables of ``flask-shim.toml``. The settings of the connection follow its backend of the highest priority."""
    is_backend_fixed: bool = field(default=False, compare=False)
    """An option of the command line says where LM Studio is; the file's backends are left out."""
    processes: int = field(default=1, compare=False)
    """How many processes share the streams of the file's backends."""

    def __post_init__(self) -> None:
        """Fill the fields that follow from others."""
        if not self.rest_url:
            object.__setattr__(self, "rest_url", self.backend_url)
        if not self.threads:
            queue = QUEUE_THREADS if self.queue_seconds else 0
            object.__setattr__(self, "threads", self.max_streams + queue + SPARE_THREADS)
        if not self.max_connections:
            object.__setattr__(self, "max_connections", max(50, self.max_streams + SPARE_THREADS))

    @property
    def max_waiting(self) -> int:
        """How many requests may wait for a slot: each takes a thread."""
        return max(0, self.threads - self.max_streams - SPARE_THREADS) if self.queue_seconds else 0

    def spare_threads(self, eighths: int) -> int:
        """Return that share of the threads that generations and their queue never use, at least one."""
        return max(1, (self.threads - self.max_streams - self.max_waiting) * eighths // 8)

    def with_current_file(self) -> Config:
        """Return these settings with what ``flask-shim.toml`` says now; raise ConfigError with its mistakes."""
        path = self.file.path
        if path is None:
            raise ConfigError((f"No {shim_file.FILE_NAME} was found at start. Restart the shim to use one.",))
        file, problems = shim_file.read(path)
        if self.is_backend_fixed:
            file = replace(file, backends=())
        if self.file.backends and not file.backends and not problems:
            problems = [f"{path}: The last [[backend]] is gone. Restart the shim to use SHIM_LMSTUDIO_BASE instead."]
        if problems:
            raise ConfigError(tuple(problems))
        return replace(self, file=file.for_one_of(self.processes), **connection_of(file.backends))

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        env_file: str | None = None,
        overrides: Mapping[str, str] | None = None,
        with_tables: bool = True,
    ) -> Config:
        """Read the settings from the environment and the settings file; raise ConfigError with all mistakes.

        ``env_file`` wins over SHIM_ENV_FILE and over ``.env`` in the current folder; with an empty one, only the files
        that a variable names are read. ``overrides`` are texts by variable, as from a command line, and win over
        everything. Without ``with_tables``, ``flask-shim.toml`` is not read.
        """
        overrides = overrides or {}
        source = _gather(environ, env_file, overrides)
        default_file = shim_file.default_path() if with_tables and env_file != "" else None
        settings = [setting for setting in SETTINGS if with_tables or setting.field != "config_file"]
        return cls._from(source, settings, default_file, is_backend_fixed="SHIM_LMSTUDIO_BASE" in overrides)

    @classmethod
    def for_client(cls, environ: Mapping[str, str] | None = None, *, env_file: str | None = None) -> Config:
        """Read the settings as :meth:`from_env` does, for a program that is only a client of LM Studio.

        The server's settings keep their defaults: HOST and PORT may be the program's own.
        """
        return cls._from(_gather(environ, env_file, {}), _CLIENT_SETTINGS, None)

    @classmethod
    def _from(
        cls,
        source: Source,
        settings: Collection[Setting],
        default_file: Path | None,
        *,
        is_backend_fixed: bool = False,
    ) -> Config:
        choices, token_notes = without_stray_token(choose(settings, source.texts))
        values = Values(choices)
        defaults = cls()
        derive(values, defaults)
        path = values.found.get("config_file", default_file)
        file, file_problems = shim_file.read(path) if path else (ShimFile(), [])
        problems = (*source.problems, *values.problems, *contradictions(values, defaults), *file_problems)
        if problems:
            raise ConfigError(problems)
        if is_backend_fixed:
            file = replace(file, backends=())
        use_backend_tables(values, file.backends)
        names = {each.name for each in fields(cls)}
        found = {name: value for name, value in values.found.items() if name in names}
        file_notes = [f"backends, profiles and rules read from {path.absolute()}"] if path else []
        notes = (*source.notes, *file_notes, *token_notes, *values.notes)
        return cls(**found, notes=notes, configured=frozenset(choices), file=file, is_backend_fixed=is_backend_fixed)


GROUPS: dict[str, tuple[Setting, ...]] = {
    "LM Studio": settings_of(BackendSettings),
    "Server": settings_of(ServerSettings),
    "Guards": settings_of(AccessSettings),
    "Behavior": settings_of(BehaviorSettings),
}
SETTINGS = tuple(setting for group in GROUPS.values() for setting in group)

_CLIENT_SETTINGS = tuple(
    setting
    for setting in SETTINGS
    if setting in GROUPS["LM Studio"] or setting.field in ("ensure_model", "default_regular_model")
)
_KNOWN = frozenset(name for setting in SETTINGS for name in setting.names)
_PATHS = frozenset(name for setting in SETTINGS if setting.parse in (path, existing_file) for name in setting.names)


def _gather(environ: Mapping[str, str] | None, env_file: str | None, overrides: Mapping[str, str]) -> Source:
    return gather(os.environ if environ is None else environ, env_file, overrides, known=_KNOWN, paths=_PATHS)
