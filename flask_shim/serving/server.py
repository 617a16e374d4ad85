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
from flask_shim.prepared import prepared_of
from flask_shim.serving.channel import Channel
from flask_shim.serving.dispatcher import Dispatcher
from flask_shim.serving.tuning import adjustments
from flask_shim.shutdown import shut_down

log = logging.getLogger(__name__)

THREADS_SECONDS = 1.0
"""How long to wait for the worker threads when all answers are out; those that hang end with the process."""

SPARE_DESCRIPTORS = 64


class Server:
    """A running app. Whoever makes it calls :meth:`run`, which returns after :meth:`stop`."""

    def __init__(self, app: Flask, config: Config, listeners: Sequence[socket.socket]) -> None:
        """Start the worker threads; ``listeners`` belong to the server from here on."""
        _allow_descriptors(config)
        sockets: dict[int, Any] = {}
        is_ready = prepared_of(app).is_ready
        dispatcher = Dispatcher(config.threads, lambda asked: is_ready(asked.command, asked.path, asked.headers))
        self._server = create_server(
            app, map=sockets, sockets=list(listeners), _dispatcher=dispatcher, **adjustments(config)
        )
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

    def stop(self) -> None:
        """Close all connections and end :meth:`run`."""
        shut_down(self._listening, seconds=THREADS_SECONDS)

    def _channels(self) -> list[Any]:
        return [channel for listening in self._listening for channel in list(listening.active_channels.values())]


def _has_output(channel: Any) -> bool:
    return bool(channel.total_outbufs_len)


def _allow_descriptors(config: Config) -> None:
    """Raise the process' own limit of open files to what the settings may need, as far as the system lets us."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # A client's connection, one to the backend for each stream, and files for large bodies on both ways.
    wanted = config.connection_limit + 3 * config.max_streams + SPARE_DESCRIPTORS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError) as exc:
        log.debug("open files stay limited to %d: %s", soft, exc)
    if most < wanted:
        log.warning("the system allows %d open files; as many connections as allowed may need %d", most, wanted)
