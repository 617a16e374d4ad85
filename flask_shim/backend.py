"""Make the client for LM Studio from the settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from flask_shim.config import Config
from flask_shim.lmstudio import ClientOptions, LMStudio

LIST_WAITERS = 2
"""How many eighths of the spare threads may wait for a slow model list."""


def client_from_env(environ: Mapping[str, str] | None = None, *, env_file: str | None = None) -> LMStudio:
    """Return a client for the LM Studio at SHIM_LMSTUDIO_BASE or LMSTUDIO_URL.

    The settings are read from ``environ`` (default: the environment of the process) and from ``.env`` or ``env_file``;
    an empty name means no file. Raises :class:`flask_shim.config.ConfigError` with all mistakes in them.
    """
    return LMStudio(client_options(Config.for_client(environ, env_file=env_file)))


def client_options(config: Config) -> ClientOptions:
    """Return the part of the settings that concerns LM Studio. A limit of 0 becomes None."""
    return ClientOptions(
        base_url=config.backend_url,
        rest_url=config.rest_url,
        token=config.backend_token,
        connect_timeout=config.connect_timeout or None,
        first_byte_timeout=config.first_byte_timeout or None,
        idle_timeout=config.idle_timeout or None,
        total_timeout=config.total_timeout or None,
        list_timeout=config.list_timeout or None,
        load_timeout=config.load_timeout or None,
        connect_retries=config.request_retries,
        retry_backoff=config.request_retry_backoff,
        verify=(str(config.ca_file) if config.ca_file else True) if config.verify_ssl else False,
        max_connections=config.max_connections,
        max_keepalive_connections=config.max_keepalive_connections,
        chunk_size=config.stream_chunk_size,
        max_line_bytes=config.max_line_bytes,
        max_answer_bytes=config.max_stream_bytes,
        catalogue_ttl=config.model_cache_ttl,
        max_waiting=config.spare_threads(LIST_WAITERS) - 1,  # one more thread requests it
    )


def all_client_options(config: Config) -> dict[str, ClientOptions]:
    """Return the same for each LM Studio by name; the only one of the settings has an empty name."""
    options = client_options(config)
    return {
        table.name: dataclasses.replace(options, base_url=table.url, rest_url="", token=table.token or None)
        for table in config.file.backends
    } or {"": options}
