"""The settings for the way to LM Studio."""

from __future__ import annotations

from functools import partial

from flask_shim.config.addresses import backend_root
from flask_shim.config.parsers import MIB, flag, key, path, seconds, whole
from flask_shim.config.setting import Setting

_of = partial(Setting, group="LM Studio")
_DAY = 86_400.0
_timeout = partial(seconds, 0.1, _DAY)

BACKEND: tuple[Setting, ...] = (
    _of(
        "SHIM_LMSTUDIO_BASE",
        "backend_url",
        "http://localhost:1234/v1",
        "Where LM Studio answers; with or without `/v1`.",
        backend_root(),
        fallbacks=("LMSTUDIO_OPENAI_BASE", "LMSTUDIO_URL", "OPENAI_BASE_URL"),
    ),
    _of(
        "SHIM_LMSTUDIO_REST_BASE",
        "rest_url",
        "",
        "Where LM Studio's own REST API answers, if elsewhere.",
        backend_root(),
        unset="same as SHIM_LMSTUDIO_BASE",
    ),
    _of(
        "SHIM_LMSTUDIO_TOKEN",
        "backend_token",
        "",
        "LM Studio's API token; clients never see it. `OPENAI_API_KEY` counts only beside `OPENAI_BASE_URL`.",
        key(),
        fallbacks=("LMSTUDIO_TOKEN", "LM_API_TOKEN", "OPENAI_API_KEY"),
        unset="none",
        is_secret=True,
    ),
    _of(
        "SHIM_HTTP_TIMEOUT",
        "",
        "300",
        "Seconds to wait for LM Studio; 0 = no limit, else at least 0.1. The two below follow it.",
        _timeout(zero=True),
    ),
    _of(
        "SHIM_FIRST_BYTE_TIMEOUT",
        "first_byte_timeout",
        "",
        "Seconds until the first byte of an answer, so for loading and reading the prompt; 0 = no limit.",
        _timeout(zero=True),
        unset="SHIM_HTTP_TIMEOUT if that is set, else 600",
    ),
    _of(
        "SHIM_IDLE_TIMEOUT",
        "idle_timeout",
        "",
        "Seconds between two pieces of an answer; 0 = no limit.",
        _timeout(zero=True),
        unset="same as SHIM_HTTP_TIMEOUT",
    ),
    _of(
        "SHIM_TOTAL_TIMEOUT",
        "total_timeout",
        "0",
        "Seconds a whole answer may take; 0 = no limit.",
        _timeout(zero=True),
    ),
    _of("SHIM_CONNECT_TIMEOUT", "connect_timeout", "3", "Seconds until LM Studio takes a connection.", _timeout()),
    _of("SHIM_LIST_TIMEOUT", "list_timeout", "10", "Seconds for a list of models or a version.", _timeout()),
    _of(
        "SHIM_LOAD_TIMEOUT",
        "load_timeout",
        "600",
        "Seconds a model may take to load; 0 = no limit.",
        _timeout(zero=True, negative=0.0),
        fallbacks=("OLLAMA_LOAD_TIMEOUT",),
    ),
    _of(
        "SHIM_MAX_CONNECTIONS",
        "max_connections",
        "",
        "Connections to LM Studio at the same time; fewer than SHIM_MAX_STREAMS lower that too.",
        whole(1, 10_000),
        unset="SHIM_MAX_STREAMS + 8, at least 50",
    ),
    _of(
        "SHIM_MAX_KEEPALIVE_CONNECTIONS",
        "max_keepalive_connections",
        "20",
        "Idle connections kept for the next request.",
        whole(0, 10_000),
    ),
    _of(
        "SHIM_REQUEST_RETRIES",
        "request_retries",
        "1",
        "New attempts when LM Studio could not be reached; a request that was sent is never repeated.",
        whole(0, 10),
    ),
    _of(
        "SHIM_REQUEST_RETRY_BACKOFF",
        "request_retry_backoff",
        "0.25",
        "Seconds before the first new attempt; doubled for each further one.",
        seconds(0, 60),
    ),
    _of("SHIM_VERIFY_SSL", "verify_ssl", "true", "Check the certificate of an https LM Studio.", flag()),
    _of(
        "SHIM_CA_FILE",
        "ca_file",
        "",
        "Certificates to trust, as a PEM file.",
        path(is_present=True),
        unset="those of certifi",
    ),
    _of(
        "SHIM_MODEL_CACHE_TTL_SECONDS",
        "model_cache_ttl",
        "30",
        "Seconds a list of models is believed; 0 = ask every time.",
        seconds(0, _DAY),
        fallbacks=("MODEL_CACHE_TTL_SECONDS",),
    ),
    _of(
        "SHIM_MODEL_SELECTOR_CACHE_SIZE",
        "model_selector_cache_size",
        "256",
        "Resolved model names to remember; 0 = none.",
        whole(0, 1_000_000),
        fallbacks=("MODEL_SELECTOR_CACHE_SIZE",),
    ),
    _of(
        "SHIM_STREAM_CHUNK_SIZE",
        "stream_chunk_size",
        "131072",
        "Most bytes one read takes from a stream; what is there is passed on at once.",
        whole(1, 16 * MIB),
        fallbacks=("STREAM_CHUNK_SIZE",),
    ),
    _of(
        "SHIM_MAX_LINE_BYTES",
        "max_line_bytes",
        "1048576",
        "Longest line believed from LM Studio, in bytes.",
        whole(1, 1024 * MIB),
    ),
    _of(
        "SHIM_MAX_STREAM_BYTES",
        "max_stream_bytes",
        "67108864",
        "Most bytes of one answer from LM Studio; 0 = no limit.",
        whole(0, 1024 * 1024 * MIB),
    ),
)
