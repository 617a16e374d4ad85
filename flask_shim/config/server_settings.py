"""The settings for the server: where it listens, how much it takes on, what it writes down."""

from __future__ import annotations

from functools import partial

from flask_shim.config.addresses import bind_hosts
from flask_shim.config.parsers import MIB, flag, path, seconds, whole
from flask_shim.config.setting import Setting

_of = partial(Setting, group="Server")

SERVER: tuple[Setting, ...] = (
    _of(
        "SHIM_HOST",
        "hosts",
        "localhost",
        "Addresses to listen on, comma-separated; `localhost` is 127.0.0.1 and ::1, `*` everywhere. "
        "Anything wider than loopback needs `SHIM_API_KEY`, or `SHIM_ALLOW_OPEN=1`.",
        bind_hosts(),
        fallbacks=("HOST",),
    ),
    _of(
        "SHIM_PORT",
        "port",
        "11434",
        "Port to listen on; 0 = any free one.",
        whole(0, 65_535),
        fallbacks=("PORT",),
    ),
    _of(
        "SHIM_MAX_STREAMS",
        "max_streams",
        "64",
        "Generations at the same time; one more is refused with 503.",
        whole(1, 4096),
        fallbacks=("OLLAMA_MAX_QUEUE",),
    ),
    _of(
        "SHIM_THREADS",
        "threads",
        "",
        "Worker threads; more than SHIM_MAX_STREAMS, so that lists and health never wait for a generation.",
        whole(2, 8192),
        unset="SHIM_MAX_STREAMS + 8",
    ),
    _of("SHIM_WORKERS", "workers", "1", "Processes that serve the port.", whole(1, 64), fallbacks=("WORKERS",)),
    _of(
        "SHIM_CONNECTION_LIMIT",
        "connection_limit",
        "1000",
        "Client connections at the same time, idle ones included; at most 500 on Windows.",
        whole(1, 100_000),
    ),
    _of(
        "SHIM_DRAIN_SECONDS",
        "drain_seconds",
        "10",
        "Seconds running answers may take to finish when the shim is stopped.",
        seconds(0, 3600),
    ),
    _of(
        "SHIM_DRAIN_DELAY",
        "drain_delay",
        "0",
        "Seconds before that in which `/ready` says 503 while new work is still accepted; for load balancers.",
        seconds(0, 3600),
    ),
    _of(
        "SHIM_DEBUG",
        "debug",
        "0",
        "1 = write a detailed log, with LM Studio's own words, which may quote prompts.",
        flag(),
    ),
    _of(
        "SHIM_LOG_FILE",
        "log_file",
        "",
        "File for the log, besides the console.",
        path(),
        fallbacks=("SHIM_SERVICE_LOG_FILE",),
        unset="none",
    ),
    _of(
        "SHIM_LOG_MAX_BYTES",
        "log_max_bytes",
        "10485760",
        "Size at which a new log file is begun; 0 = never.",
        whole(0, 1024 * 1024 * MIB),
    ),
    _of("SHIM_LOG_BACKUPS", "log_backups", "5", "Old log files to keep.", whole(0, 1000)),
    _of(
        "SHIM_DATA_DIR",
        "data_dir",
        "",
        "Folder for what the shim keeps: names made with copy and create.",
        path(),
        fallbacks=("SHIM_SERVICE_DATA_DIR",),
        unset="the user's data folder",
    ),
    _of(
        "SHIM_ENV_FILE",
        "",
        "",
        "File with settings, one NAME=value per line; only the environment can name it, and wins over it.",
        path(),
        unset="`.env` in the current folder, if it exists",
    ),
)
