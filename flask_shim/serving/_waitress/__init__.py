"""Every private name of waitress that this package uses; checked with waitress 3.0.1 and 3.0.2."""

from __future__ import annotations

import errno
import logging
import socket
import sys
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from threading import Event
from typing import Any

from waitress import wasyncore
from waitress.server import TcpWSGIServer, create_server

from flask_shim.serving._waitress.channel import Channel
from flask_shim.serving._waitress.dispatcher import START_SECONDS, TaskDispatcher

if sys.platform == "linux":
    from flask_shim.serving._waitress.epoll_loop import EpollLoop
    from flask_shim.serving._waitress.stream_group import StreamGroup

log = logging.getLogger(__name__)


class WaitressServer:
    """One waitress loop over sockets that are already open."""

    def __init__(self, app: Any, listeners: Sequence[socket.socket], settings: dict[str, Any]) -> None:
        """Start the worker threads; the server owns ``listeners``."""
        sockets: dict[int, Any] = {}
        # The loop must wake for tasks that wait for their turn; wasyncore's own cannot.
        self._dispatcher = TaskDispatcher(settings["threads"], START_SECONDS if sys.platform == "linux" else 0.0)
        self._server: Any = create_server(
            app, map=sockets, _dispatcher=self._dispatcher, sockets=list(listeners), **settings
        )
        self._listening = [each for each in sockets.values() if isinstance(each, TcpWSGIServer)]
        if sys.platform == "linux":
            self._server.asyncore = loop = EpollLoop(self._dispatcher.start_waiting)
            group = StreamGroup()
        for each in self._listening:
            each.channel_class = Channel
            each.accept = partial(_accept, each.accept)
            each.changed = deque(maxlen=0)  # wasyncore's own loop asks all connections
            each.stream_group = None
            if sys.platform == "linux":
                each.changed = loop.changed
                each.stream_group = group

    def run(self) -> None:
        """Serve until :meth:`stop` is called from another thread."""
        self._server.run()

    def start_draining(self) -> None:
        """Ask clients from now on not to reuse their connection."""
        for each in self._listening:
            each.is_draining = True

    def stop_listening(self) -> None:
        """Accept the connections that the system has made already, and refuse new ones; open ones are served on."""
        self._listening[0].trigger.pull_trigger(partial(_stop_listening, self._listening))

    def count_connections(self) -> int:
        """Return how many clients are connected."""
        return len(_channels(self._listening))

    def is_idle(self) -> bool:
        """Return whether no request is queued or running, and every response has been sent completely."""
        return self._dispatcher.is_idle and not self.count_unsent()

    def count_unsent(self) -> int:
        """Return how many clients have not read all of their response."""
        return sum(bool(channel.total_outbufs_len) for channel in _channels(self._listening))

    def stop(self, seconds: float) -> None:
        """Close all connections and end :meth:`run`; wait at most ``seconds`` for the worker threads."""
        shut_down(self._listening, seconds=seconds)


def _accept(accept: Callable[[], Any]) -> Any:
    """Return what waitress' ``accept`` returns, None for a client that has already disconnected.

    Windows reports such a client with WSAECONNRESET, for which waitress would log a traceback.
    """
    try:
        return accept()
    except OSError as exc:
        if isinstance(exc, ConnectionError) or exc.errno == errno.ENOTCONN:
            return None
        raise


def _stop_listening(listening: Sequence[Any]) -> None:
    for each in listening:
        count = -1
        while count < len(each.active_channels):  # closing a listener resets the connections that it has not accepted
            count = len(each.active_channels)
            each.handle_accept()
    for each in listening:
        # Not its own close(), which closes the trigger of its connections, too.
        _try_to_close(partial(wasyncore.dispatcher.close, each))


def shut_down(listening: Sequence[Any], *, seconds: float) -> None:
    """Make the thread of a waitress loop close every connection and listener, which ends the loop.

    ``listening`` are the ``TcpWSGIServer`` objects of one loop. Returns before the loop has ended; call it only once.
    """
    # The loop's thread must close its own sockets. If it is awake already, it could run close() before pull_trigger()
    # has written to the trigger's descriptor, which would then be closed or reused.
    is_pulled = Event()

    def close() -> None:
        is_pulled.wait()
        _close(listening, seconds)

    try:
        listening[0].trigger.pull_trigger(close)
    finally:
        is_pulled.set()


def _channels(listening: Sequence[Any]) -> list[Any]:
    return [channel for each in listening for channel in list(each.active_channels.values())]


def _close(listening: Sequence[Any], seconds: float) -> None:
    # Before the listeners: worker threads wake the loop through the trigger, which is closed with its listener.
    for channel in _channels(listening):
        _try_to_close(channel.handle_close)
    listening[0].task_dispatcher.shutdown(timeout=seconds)
    for each in listening:
        _try_to_close(each.close)


def _try_to_close(close: Callable[[], None]) -> None:
    try:
        close()
    except OSError as exc:  # wasyncore removes the socket from the loop first, so the loop still ends
        log.warning("a socket could not be closed: %s", exc)
