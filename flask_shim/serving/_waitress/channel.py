"""waitress' channel: a client connection that notices disconnects at every moment and closes without losing data."""

from __future__ import annotations

import re
import socket
import threading
import time
from typing import Any

from waitress.channel import ClientDisconnected, HTTPChannel

from flask_shim.serving._waitress.request_parser import RequestParser
from flask_shim.serving._waitress.tasks import ResponseTask, build_error_task

LINGER_SECONDS = 10.0
LINGER_BYTES = 256 * 1024 * 1024
"""How long, and for how many bytes, a request is read and discarded after its rejection was sent."""

SEND_BYTES = 65_536
"""How much of a buffer to read for one attempt to send it."""

INSTANT_PATHS = frozenset({"/", "/api/version", "/health", "/healthz", "/ping"})
_LOCAL = re.compile(r"(?:localhost|[0-9.]+|\[[0-9a-f:.]+\])(?::[0-9]+)?", re.IGNORECASE)


def is_instant(request: Any) -> bool:
    """Return whether a request is answered without waiting for anything, so that it needs no thread.

    Health checks are answered while all threads are busy, and waking one takes longer than such an answer. A host with
    another name may have to be looked up.
    """
    is_plain = request.error is None and request.body_rcv is None
    return is_plain and request.path in INSTANT_PATHS and bool(_LOCAL.fullmatch(request.headers.get("HOST", "")))


class _ChannelsServer:
    """The server as one channel sees it: the loop is only woken for a channel that needs it."""

    def __init__(self, server: Any, channel: Channel) -> None:
        self._server = server
        self._channel = channel

    def __getattr__(self, name: str) -> Any:
        value = self.__dict__[name] = getattr(self._server, name)  # none of them changes
        return value

    def add_task(self, channel: Channel) -> None:
        """Give the first request of the channel to a thread, unless the loop is to answer it itself."""
        if threading.get_ident() == channel.reading_thread and is_instant(channel.requests[0]):
            channel.answers_itself = True
        else:
            self._server.add_task(channel)

    def pull_trigger(self) -> None:
        """Wake the loop, which waitress does after every response."""
        if self._channel.needs_loop:
            self._server.changed.append(self._channel)
            self._server.pull_trigger()


class Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A client connection: strict parsing, disconnect detection at every moment, no buffer for what can be sent."""

    parser_class = RequestParser
    task_class = ResponseTask
    error_task_class = staticmethod(build_error_task)
    sendbuf_len: int
    will_close = False
    lingers = False
    """Whether the client may still be sending when the response is complete."""
    reading_thread = 0
    """The thread of the loop while it reads."""
    answers_itself = False
    """Whether the loop answers the request that it has read."""
    _linger_deadline = 0.0
    _lingered_bytes = 0
    _has_more = False
    """Whether the kernel holds bytes that are not read before a response is sent."""

    def __init__(self, server: Any, *args: Any, **kwargs: Any) -> None:
        """See waitress' channel."""
        super().__init__(server, *args, **kwargs)
        # waitress reads as much as the kernel may hold, on loopback 4 MB, though a client that pauses takes nothing.
        self.sendbuf_len = min(self.sendbuf_len, SEND_BYTES)
        self._output = threading.RLock()
        self.outbuf_lock = threading.Condition(self._output)
        self._listener = server
        self.server = _ChannelsServer(server, self)
        server.changed.append(self)

    @property
    def needs_loop(self) -> bool:
        """Whether the loop must send, close or read what it does not already wait for."""
        return bool(self.total_outbufs_len or self.will_close or self.close_when_flushed or self._has_more)

    @property
    def is_draining(self) -> bool:
        """Whether the server is stopping, so that clients should not reuse the connection."""
        return getattr(self._listener, "is_draining", False)

    def readable(self) -> bool:
        """Return whether to poll for input, also with a full look-ahead: the end of the connection is input, too."""
        if self._linger_deadline:
            if time.monotonic() > self._linger_deadline:
                self.will_close = True  # makes the channel writable, and handle_write() closes it
            return True
        if self._is_ending():
            return False
        return not self._has_more or len(self.requests) <= self.adj.channel_request_lookahead

    def handle_read(self) -> None:
        """Read; with a full look-ahead only peek whether the client is still connected."""
        if self._linger_deadline:
            self._discard_input()
            return
        if not self._is_full():
            self._has_more = False
            self.reading_thread = threading.get_ident()
            super().handle_read()
            self.reading_thread = 0
            if self.answers_itself:
                self.answers_itself = False
                self.service()  # further requests that were read with this one get a thread
            return
        try:
            self._has_more = bool(self.socket.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return
        except OSError as exc:
            self.logger.debug("connection reset: %s", exc)
        if not self._has_more:
            self.handle_close()

    def _is_full(self) -> bool:
        return not self._is_ending() and len(self.requests) > self.adj.channel_request_lookahead

    def _is_ending(self) -> bool:
        return bool(self.will_close or self.close_when_flushed or self.total_outbufs_len)

    def handle_write(self) -> None:
        """Send buffered output; after a rejection keep reading for a while before closing.

        A socket that is closed with unread input sends a reset, which destroys the response (RFC 9112 section 9.6).
        """
        if not (self.lingers and self.close_when_flushed) or self.will_close:
            super().handle_write()
            return
        self._flush_exception(self._flush_some)
        if self.will_close:
            self.handle_close()
        elif not self.total_outbufs_len:
            self._start_lingering()

    def _start_lingering(self) -> None:
        self.close_when_flushed = False
        self._linger_deadline = time.monotonic() + LINGER_SECONDS
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:  # the client has closed the connection
            self.handle_close()

    def _discard_input(self) -> None:
        try:
            size = len(self.socket.recv(self.adj.recv_bytes))
        except BlockingIOError:
            return
        except OSError:  # a reset: the client has closed the connection
            size = 0
        self._lingered_bytes += size
        if not size or self._lingered_bytes > LINGER_BYTES:
            self.handle_close()

    def send_continue(self) -> None:
        """Send 100 Continue, but not for a request that is complete or refused (RFC 9110 section 10.1.1).

        waitress would wait for the body of a request without one.
        """
        if not self.request.completed:
            super().send_continue()

    def write_soon(self, data: Any) -> int:
        """Send ``data`` now as far as the socket accepts it; waitress buffers only the rest. Return its length.

        waitress passes everything through a buffer that grows until the response ends, 1 MiB in memory and then a file.
        """
        if not data:
            return int(super().write_soon(data))
        size = len(data)
        with self._output:
            sent = self._send_now(data) if self.connected and not self.total_outbufs_len else 0
            if sent < size:
                self._buffer(data[sent:])
        return size

    def _send_now(self, data: bytes) -> int:
        try:
            sent = int(self.send(data, do_close=False))
        except OSError:  # waitress tries again, logs the failure and closes
            return 0
        if sent:
            self.last_activity = time.time()
        return sent

    def _buffer(self, data: bytes) -> None:
        try:
            super().write_soon(data)
        except OSError as exc:
            self.logger.error("no space to buffer a response that its client does not read: %s", exc)
            self.total_outbufs_len = 0  # waitress counted bytes that were not stored, and would wait for them
            self.will_close = True
            self.server.pull_trigger()
            raise ClientDisconnected from exc
