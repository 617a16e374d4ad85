"""Settings of the connection to LM Studio."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from flask_shim.config.addresses import backend_root
from flask_shim.config.parsers import DAY, MIB, existing_file, flag, integer, key, seconds
from flask_shim.config.reader import Setting, Unset, setting

_timeout = partial(seconds, 0.1, DAY)


@dataclass(frozen=True, kw_only=True)
class BackendSettings:
    """The connection to LM Studio."""

    backend_url: str = setting(
        "SHIM_LMSTUDIO_BASE",
        "http://localhost:1234/v1",
        backend_root,
        "URL of LM Studio, with or without `/v1`.",
        fallbacks=("LMSTUDIO_OPENAI_BASE", "LMSTUDIO_URL", "OPENAI_BASE_URL"),
    )
    """Without ``/v1`` and without a trailing slash."""
    rest_url: str = setting(
        "SHIM_LMSTUDIO_REST_BASE",
        Unset("same as SHIM_LMSTUDIO_BASE", ""),
        backend_root,
        "URL of LM Studio's own REST API, if it is another one.",
    )
    backend_token: str = setting(
        "SHIM_LMSTUDIO_TOKEN",
        Unset("none", ""),
        key,
        "LM Studio's API token; clients never see it. `OPENAI_API_KEY` counts only beside `OPENAI_BASE_URL`.",
        fallbacks=("LMSTUDIO_TOKEN", "LM_API_TOKEN", "OPENAI_API_KEY"),
        is_secret=True,
    )
    http_timeout: ClassVar = Setting(
        "SHIM_HTTP_TIMEOUT",
        "300",
        _timeout(zero=True),
        "Seconds to wait for LM Studio; 0 = no limit, else at least 0.1. The next two follow it.",
    )
    first_byte_timeout: float = setting(
        "SHIM_FIRST_BYTE_TIMEOUT",
        Unset("SHIM_HTTP_TIMEOUT if that is set, else 600", 600.0),
        _timeout(zero=True),
        "Seconds until the first byte of an answer; loading the model and reading the prompt count. 0 = no limit.",
    )
    idle_timeout: float = setting(
        "SHIM_IDLE_TIMEOUT",
        Unset("same as SHIM_HTTP_TIMEOUT", 300.0),
        _timeout(zero=True),
        "Seconds between two pieces of an answer; 0 = no limit.",
    )
    total_timeout: float = setting(
        "SHIM_TOTAL_TIMEOUT", "0", _timeout(zero=True), "Seconds for a whole answer; 0 = no limit."
    )
    connect_timeout: float = setting("SHIM_CONNECT_TIMEOUT", "3", _timeout(), "Seconds to connect to LM Studio.")
    list_timeout: float = setting("SHIM_LIST_TIMEOUT", "10", _timeout(), "Seconds for a list of models or a version.")
    load_timeout: float = setting(
        "SHIM_LOAD_TIMEOUT",
        "600",
        _timeout(zero=True, negative=0.0),
        "Seconds to load a model; 0 = no limit.",
        fallbacks=("OLLAMA_LOAD_TIMEOUT",),
    )
    max_connections: int = setting(
        "SHIM_MAX_CONNECTIONS",
        Unset("SHIM_MAX_STREAMS + 8, at least 50", 0),
        integer(1, 10_000),
        "Connections to LM Studio at the same time; if lower than SHIM_MAX_STREAMS, that is lowered too.",
    )
    max_keepalive_connections: int = setting(
        "SHIM_MAX_KEEPALIVE_CONNECTIONS",
        "20",
        integer(0, 10_000),
        "Idle connections to LM Studio that are kept open; with 0, each request has a new one.",
    )
    request_retries: int = setting(
        "SHIM_REQUEST_RETRIES",
        "1",
        integer(0, 10),
        "New attempts when the connection to LM Studio fails; a request that LM Studio has read is not repeated.",
    )
    request_retry_backoff: float = setting(
        "SHIM_REQUEST_RETRY_BACKOFF",
        "0.25",
        seconds(0, 60),
        "Seconds before the first new attempt; doubled for each further one.",
    )
    verify_ssl: bool = setting("SHIM_VERIFY_SSL", "true", flag, "Check the certificate of an https LM Studio.")
    ca_file: Path | None = setting(
        "SHIM_CA_FILE", Unset("those of certifi"), existing_file, "PEM file with the certificates to trust."
    )
    model_cache_ttl: float = setting(
        "SHIM_MODEL_CACHE_TTL_SECONDS",
        "30",
        seconds(0, DAY),
        "Seconds to cache the list of models; 0 = no cache.",
        fallbacks=("MODEL_CACHE_TTL_SECONDS",),
    )
    model_selector_cache_size: int = setting(
        "SHIM_MODEL_SELECTOR_CACHE_SIZE",
        "256",
        integer(0, 1_000_000),
        "Resolved model names to cache; 0 = none.",
        fallbacks=("MODEL_SELECTOR_CACHE_SIZE",),
    )
    stream_chunk_size: int = setting(
        "SHIM_STREAM_CHUNK_SIZE",
        "131072",
        integer(1, 16 * MIB),
        "Most bytes to read from a stream at once; what has arrived is passed on without delay.",
        fallbacks=("STREAM_CHUNK_SIZE",),
    )
    max_line_bytes: int = setting(
        "SHIM_MAX_LINE_BYTES", "1048576", integer(1, 1024 * MIB), "Longest line accepted from LM Studio, in bytes."
    )
    max_stream_bytes: int = setting(
        "SHIM_MAX_STREAM_BYTES",
        "67108864",
        integer(0, 1024 * 1024 * MIB),
        "Most bytes of one answer from LM Studio; 0 = no limit.",
    )
