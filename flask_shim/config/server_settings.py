"""Settings of the server: where it listens, how much it accepts, what it writes, and who may use it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from platformdirs import user_data_dir

from flask_shim.config.addresses import bind_hosts, host_names, origins
from flask_shim.config.parsers import MIB, byte_limit, existing_file, flag, integer, keys, path, seconds, user_folder
from flask_shim.config.reader import Setting, Unset, setting


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """The server, its log and its data."""

    hosts: tuple[str, ...] = setting(
        "SHIM_HOST",
        "localhost",
        bind_hosts,
        "Addresses to listen on, comma-separated; `localhost` is 127.0.0.1 and ::1, `*` everywhere. "
        "Anything wider than loopback needs `SHIM_API_KEY`, or `SHIM_ALLOW_OPEN=1`.",
        fallbacks=("HOST",),
    )
    """Addresses without brackets, names, or ``*``."""
    port: int = setting(
        "SHIM_PORT", "11434", integer(0, 65_535), "Port to listen on; 0 = any free one.", fallbacks=("PORT",)
    )
    max_streams: int = setting(
        "SHIM_MAX_STREAMS",
        "64",
        integer(1, 4096),
        "Generations at the same time; one more is refused with 503, or waits for SHIM_QUEUE_SECONDS.",
        fallbacks=("OLLAMA_MAX_QUEUE",),
    )
    queue_seconds: float = setting(
        "SHIM_QUEUE_SECONDS",
        "0",
        seconds(0.1, 3600, zero=True),
        "Seconds that a request beyond SHIM_MAX_STREAMS may wait for a free slot; the client with the fewest running "
        "requests is next. 0 = none waits. Each request that waits takes a thread.",
    )
    threads: int = setting(
        "SHIM_THREADS",
        Unset("SHIM_MAX_STREAMS + 8, with SHIM_QUEUE_SECONDS 64 more", 0),
        integer(2, 8192),
        "Worker threads; more than SHIM_MAX_STREAMS, so that lists and health never wait for a generation. With "
        "SHIM_QUEUE_SECONDS, those beyond SHIM_MAX_STREAMS + 8 are for requests that wait.",
    )
    workers: int = setting(
        "SHIM_WORKERS", "1", integer(1, 64), "Processes that serve the port.", fallbacks=("WORKERS",)
    )
    connection_limit: int = setting(
        "SHIM_CONNECTION_LIMIT",
        "1000",
        integer(1, 100_000),
        "Client connections at the same time, idle ones included; at most 500 on Windows.",
    )
    heartbeat: float = setting(
        "SHIM_HEARTBEAT_SECONDS",
        "20",
        seconds(0.1, 3600, zero=True),
        "Seconds without a byte after which a streamed answer gets a heartbeat, so that proxies and clients do not "
        "give up while a model loads or reads a long prompt; 0 = never. Set less than half of their shortest limit.",
    )
    drain_seconds: float = setting(
        "SHIM_DRAIN_SECONDS", "10", seconds(0, 3600), "Seconds for running answers to finish when the shim stops."
    )
    drain_delay: float = setting(
        "SHIM_DRAIN_DELAY",
        "0",
        seconds(0, 3600),
        "Seconds before SHIM_DRAIN_SECONDS in which `/ready` says 503 while new work is still accepted; 5 behind a "
        "proxy for several shims, 0 where it would only delay the end.",
    )
    debug: bool = setting(
        "SHIM_DEBUG", "0", flag, "1 = detailed log, with texts of LM Studio, which may quote prompts."
    )
    log_file: Path | None = setting(
        "SHIM_LOG_FILE",
        Unset("none"),
        path,
        "File for the log, in addition to the console.",
        fallbacks=("SHIM_SERVICE_LOG_FILE",),
    )
    log_max_bytes: int = setting(
        "SHIM_LOG_MAX_BYTES", "10485760", integer(0, 1024 * 1024 * MIB), "Size at which the log rotates; 0 = never."
    )
    log_backups: int = setting("SHIM_LOG_BACKUPS", "5", integer(0, 1000), "Old log files to keep.")
    data_dir: Path = setting(
        "SHIM_DATA_DIR",
        Unset("the user's data folder", lambda: user_folder(user_data_dir)),
        path,
        "Folder for the shim's data: names made with copy and create, and the history.",
        fallbacks=("SHIM_SERVICE_DATA_DIR",),
    )
    history_days: int = setting(
        "SHIM_HISTORY_DAYS",
        "0",
        integer(0, 3660),
        "Days to keep counts and times of requests by day, client and model, never prompts; 0 = none.",
    )
    env_file: ClassVar = Setting(
        "SHIM_ENV_FILE",
        Unset("`.env` in the current folder, if it exists"),
        path,
        "File with settings, one NAME=value per line. Only the environment can name it; its variables win.",
    )
    config_file: ClassVar = Setting(
        "SHIM_CONFIG",
        Unset("`flask-shim.toml` in the current folder, else in the user's folder for configuration, if it exists"),
        existing_file,
        "File with several LM Studios, model profiles and rules for clients.",
    )


@dataclass(frozen=True, kw_only=True)
class AccessSettings:
    """Who may use the server, and for what."""

    api_keys: tuple[str, ...] = setting(
        "SHIM_API_KEY",
        Unset("none required", ()),
        keys,
        "Key that clients must send as `Authorization: Bearer …`; separate several by commas.",
        is_secret=True,
    )
    allow_open: bool = setting("SHIM_ALLOW_OPEN", "0", flag, "1 = serve other machines without a key, on purpose.")
    allowed_origins: tuple[str, ...] = setting(
        "SHIM_ALLOWED_ORIGINS",
        "http://localhost,http://127.0.0.1",
        origins,
        "Allowed web origins, comma-separated, with one `*` at most in each; `*` = any, empty = none.",
        fallbacks=("CORS_ORIGINS",),
        empty_counts=True,
    )
    """In lower case."""
    extra_origins: ClassVar = Setting("OLLAMA_ORIGINS", Unset("none"), origins, "Further web origins, as for Ollama.")
    allowed_hosts: tuple[str, ...] = setting(
        "SHIM_ALLOWED_HOSTS",
        Unset("none", ()),
        host_names,
        "Further names of this server that clients may use (Host header), comma-separated.",
    )
    """In lower case, without ports and brackets."""
    max_request_bytes: int = setting(
        "SHIM_MAX_REQUEST_BYTES",
        "268435456",
        byte_limit(1024 * 1024 * MIB),
        "Largest request body, in bytes, also after decoding; a larger one is refused with 413. 0 = no limit.",
    )
    read_only: bool = setting("SHIM_READ_ONLY", "0", flag, "1 = no loading, unloading, pulling, copying or deleting.")
    allow_mcp: bool = setting("SHIM_ALLOW_MCP", "0", flag, "1 = pass MCP and integration fields on to LM Studio.")
    inspect: int = setting(
        "SHIM_INSPECT",
        "0",
        integer(0, 200),
        "How many of the last requests the inspector at `/shim/` keeps in memory, with prompts and answers; "
        "0 = none until it is started there.",
    )
    metrics: bool = setting("SHIM_METRICS", "1", flag, "0 = no `/metrics`.")
