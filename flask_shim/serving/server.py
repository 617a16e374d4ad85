"""The server of one process: waitress with the shim's settings, and as many connections as the system allows."""

from __future__ import annotations

import gc
import logging
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from flask import Flask

from flask_shim.config import Config, ConfigError
from flask_shim.config.validation import WINDOWS_CONNECTIONS
from flask_shim.serving._waitress import WaitressServer
from flask_shim.serving.waitress_settings import adjustments

log = logging.getLogger(__name__)

THREADS_SECONDS = 1.0
"""How long to wait for worker threads after the last response; threads that hang end with the process."""

RECEIVE_BYTES = 65_536
"""Bytes read from one client before the next is served."""

SPARE_DESCRIPTORS = 64

COLLECTED_AFTER = 10_000
"""New objects until the next garbage collection; Python's own 700 are those of a few requests."""


class Server(WaitressServer):
    """A running app: call :meth:`run`, which returns after :meth:`stop`."""

    def __init__(self, app: Flask, config: Config, listeners: Sequence[socket.socket]) -> None:
        """Start the worker threads, or raise ConfigError; the server owns ``listeners``."""
        connections = _connection_limit(config) + 2 * len(listeners)  # waitress counts each listener and its trigger
        if sys.platform == "win32":
            connections = min(connections, WINDOWS_CONNECTIONS)
        settings = {**adjustments(config), "recv_bytes": RECEIVE_BYTES, "connection_limit": connections}
        if not _can_write_temporary_files():
            settings["inbuf_overflow"] = settings["max_request_body_size"]
            settings["outbuf_overflow"] = settings["outbuf_high_watermark"]
        try:
            super().__init__(app, listeners, settings)
        except RuntimeError as exc:  # Python's exception for a thread that the system refuses
            advice = "Lower SHIM_MAX_STREAMS, or raise the limit: ulimit -u, systemd's TasksMax, Docker's --pids-limit."
            raise ConfigError((f"SHIM_THREADS={config.threads}: The system refuses so many. {advice}",)) from exc

    def stop(self, seconds: float = THREADS_SECONDS) -> None:
        """Close all connections and end :meth:`run`."""
        super().stop(seconds)


def collect_less_garbage() -> None:
    """Exempt the objects of the app from garbage collection, and collect the rest less often.

    Requests leave next to no cycles, but each collection visits the objects of those that run, which took a tenth of
    the CPU to start 500 streams.
    """
    gc.freeze()
    gc.set_threshold(COLLECTED_AFTER)


@contextmanager
def serve_in_background(app: Flask, config: Config, listeners: Sequence[socket.socket]) -> Iterator[None]:
    """Serve on a thread while the block runs."""
    server = Server(app, config, listeners)
    thread = threading.Thread(target=server.run, name="shim-server", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.stop()
        thread.join()


def _connection_limit(config: Config) -> int:
    """Return the configured number of client connections, or fewer if the system allows too few open files.

    Without a free descriptor waitress tries to accept the connection again and again, and logs each failure.
    """
    # A client's connection; for a stream one to the backend, and temporary files for large bodies in both directions.
    wanted = config.connection_limit + 3 * config.max_streams + SPARE_DESCRIPTORS
    allowed = _raise_descriptor_limit(wanted)
    if allowed >= wanted:
        return config.connection_limit
    limit = min(config.connection_limit, max(1, (allowed - SPARE_DESCRIPTORS) // 2))
    log.warning("the system allows %d open files and %d may be needed: connection_limit=%d", allowed, wanted, limit)
    return limit


def _can_write_temporary_files() -> bool:
    """Return whether waitress can keep large bodies in files; it would reset their connections."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError as exc:  # as in a container with a read-only file system
        log.warning("large requests and unread answers stay in memory: %s; TMPDIR can name a folder", exc.strerror)
        return False
    return True


def _raise_descriptor_limit(wanted: int) -> int:
    """Raise this process's limit of open files to ``wanted`` as far as the system allows; return the limit."""
    if sys.platform == "win32":
        return wanted
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    except (OSError, ValueError) as exc:
        log.debug("the limit of open files stays at %d: %s", soft, exc)
        return soft
    return limit
