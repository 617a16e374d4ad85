"""waitress over sockets that are already open, and a way to end it from another thread."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Sequence
from typing import Any

from flask import Flask
from waitress.server import TcpWSGIServer, create_server

from flask_shim.config import Config
from flask_shim.middleware.static_responses import static_responses_of
from flask_shim.serving.channel import Channel
from flask_shim.serving.dispatcher import Dispatcher
from flask_shim.serving.shutdown import shut_down
from flask_shim.serving.waitress_settings import adjustments

log = logging.getLogger(__name__)

THREADS_SECONDS = 1.0
"""How long to wait for the worker threads when all answers are out; those that hang end with the process."""

RECEIVE_BYTES = 65_536
"""Read from one client before the others have their turn. Under waitress alone more is better, see tuning."""

SPARE_DESCRIPTORS = 64


class Server:
    """A running app. Whoever makes it calls :meth:`run`, which returns after :meth:`stop`."""

    def __init__(self, app: Flask, config: Config, listeners: Sequence[socket.socket]) -> None:
        """Start the worker threads; ``listeners`` belong to the server from here on."""
        sockets: dict[int, Any] = {}
        is_ready = static_responses_of(app).is_ready
        dispatcher = Dispatcher(config.threads, lambda asked: is_ready(asked.command, asked.path, asked.headers))
        own = {"recv_bytes": RECEIVE_BYTES, "connection_limit": _connections(config)}
        settings = {**adjustments(config), **own}
        self._server = create_server(app, map=sockets, sockets=list(listeners), _dispatcher=dispatcher, **settings)
        self._listening = [each for each in sockets.values() if isinstance(each, TcpWSGIServer)]
        for each in self._listening:
            each.channel_class = Channel

    def run(self) -> None:
        """Serve until :meth:`stop` is called from another thread."""
        self._server.run()

    def is_idle(self) -> bool:
        """Whether no request is being worked on or waiting, and every answer has been sent to its last byte."""
        dispatcher = self._server.task_dispatcher
        return not dispatcher.queue and not dispatcher.active_count and not any(map(_has_output, self._channels()))

    def unsent(self) -> int:
        """Return how many clients have not taken all of their answer."""
        return sum(map(_has_output, self._channels()))

    def stop(self) -> None:
        """Close all connections and end :meth:`run`."""
        shut_down(self._listening, seconds=THREADS_SECONDS)

    def _channels(self) -> list[Any]:
        return [channel for listening in self._listening for channel in list(listening.active_channels.values())]


def _has_output(channel: Any) -> bool:
    return bool(channel.total_outbufs_len)


def _connections(config: Config) -> int:
    """Return how many clients may be connected: as many as are set, unless the system allows too few open files.

    One too many would be accepted over and over again, and end in nothing but lines of the log.
    """
    # A client's connection, one to the backend for each stream, and files for large bodies on both ways.
    wanted = config.connection_limit + 3 * config.max_streams + SPARE_DESCRIPTORS
    allowed = _allow_descriptors(wanted)
    if allowed >= wanted:
        return config.connection_limit
    most = min(config.connection_limit, max(1, (allowed - SPARE_DESCRIPTORS) // 2))
    log.warning("the system allows %d open files, and %d may be needed: connections=%d", allowed, wanted, most)
    return most


def _allow_descriptors(wanted: int) -> int:
    """Raise the process' own limit of open files to what is wanted, as far as the system lets us; return the limit."""
    if sys.platform == "win32":
        return wanted
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError) as exc:
        log.debug("open files stay limited to %d: %s", soft, exc)
        return soft
    return most
