"""The settings for who may ask what."""

from __future__ import annotations

from functools import partial

from flask_shim.config.addresses import host_names, origins
from flask_shim.config.parsers import MIB, bytes_or_most, flag, keys
from flask_shim.config.setting import Setting

_of = partial(Setting, group="Guards")

GUARDS: tuple[Setting, ...] = (
    _of(
        "SHIM_API_KEY",
        "api_keys",
        "",
        "Key clients must send as `Authorization: Bearer …`; several are separated by commas.",
        keys(),
        unset="none asked for",
        is_secret=True,
    ),
    _of("SHIM_ALLOW_OPEN", "allow_open", "0", "1 = serve other machines without any key, on purpose.", flag()),
    _of(
        "SHIM_ALLOWED_ORIGINS",
        "allowed_origins",
        "http://localhost,http://127.0.0.1",
        "Web origins that may ask, comma-separated, one `*` allowed in each; `*` = any, empty = none.",
        origins(),
        fallbacks=("CORS_ORIGINS",),
        empty_counts=True,
    ),
    _of("OLLAMA_ORIGINS", "", "", "Further web origins, as for Ollama.", origins(), unset="none"),
    _of(
        "SHIM_ALLOWED_HOSTS",
        "allowed_hosts",
        "",
        "Further names this server may be called by (Host header), comma-separated.",
        host_names(),
        unset="none",
    ),
    _of(
        "SHIM_MAX_REQUEST_BYTES",
        "max_request_bytes",
        str(256 * MIB),
        "Largest request body, in bytes; a larger one is refused with 413. 0 = no limit.",
        bytes_or_most(1024 * 1024 * MIB),
    ),
    _of("SHIM_READ_ONLY", "read_only", "0", "1 = no loading, unloading, pulling, copying or deleting.", flag()),
    _of("SHIM_ALLOW_MCP", "allow_mcp", "0", "1 = pass MCP and integration fields on to LM Studio.", flag()),
    _of("SHIM_METRICS", "metrics", "1", "0 = no `/metrics`.", flag()),
)
