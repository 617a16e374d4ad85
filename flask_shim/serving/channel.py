"""A client's connection, with shortcuts.

waitress keeps what it sends in a buffer that begins anew only when all of a request is answered, sends an answer's head
by itself, and has every request answered by a worker. For streams that is memory, for small answers a packet and two
changes of thread too many.
"""

from __future__ import annotations

import socket
import time
from threading import get_ident
from typing import Any

from waitress.buffers import ReadOnlyFileBasedBuffer
from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.task import WSGITask

from flask_shim.serving.error_tasks import build_error_task
from flask_shim.serving.request_parser import StrictParser


class Task(WSGITask):  # type: ignore[misc]  # waitress has no types
    """An answer whose head leaves together with the first bytes of its body."""

    def write(self, data: bytes) -> None:
        """Send ``data``, after the head if that has not been sent."""
        if not self.wrote_header:
            self._write_with_head(data)
        elif self.chunked_response and data:
            self.channel.write_soon(b"%X\r\n%b\r\n" % (len(data), data))
        else:
            super().write(data)

    def _write_with_head(self, data: bytes) -> None:
        self.channel.hold()
        try:
            super().write(data)
        finally:
            self.channel.release()


class Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A connection that reads requests strictly, and buffers only what the client does not take at once."""

    parser_class = StrictParser
    task_class = Task
    error_task_class = staticmethod(build_error_task)
    _held: list[bytes] | None = None
    _reader: int | None = None
    _is_claimed = False
    _has_more = False  # bytes that are not read before a request is answered

    def readable(self) -> bool:
        """Tell whether to watch for bytes, and for the end: also while as many requests wait as are read ahead."""
        return bool(super().readable()) or (self._is_full() and not self._has_more)

    def handle_read(self) -> None:
        """Read; where no more is taken now, only look whether the client is still there."""
        if not self._is_full():
            self._has_more = False
            super().handle_read()
            return
        try:
            self._has_more = bool(self.socket.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return
        except OSError as exc:
            self.logger.debug("a client broke off: %s", exc)
        if not self._has_more:
            self.handle_close()

    def _is_full(self) -> bool:
        is_ending = self.will_close or self.close_when_flushed or self.total_outbufs_len
        return not is_ending and len(self.requests) > self.adj.channel_request_lookahead

    def received(self, data: bytes) -> bool:
        """Take what was read. A request that :meth:`claim` was called for is answered before this returns."""
        self._reader = get_ident()
        was_taken = bool(super().received(data))
        self._reader = None
        if self._is_claimed:
            self._is_claimed = False
            self.service()
        return was_taken

    def claim(self) -> bool:
        """Have the next request answered by this thread if it is the one that just read it; tell whether it is.

        Of several requests that were read together only the first one: this thread serves all connections.
        """
        if self._reader != get_ident():
            return False
        self._is_claimed = True
        return True

    def write_soon(self, data: Any) -> int:
        """Send ``data``, or the part that the client takes now, and leave the rest to waitress; return its length."""
        if self._held is not None:
            self._held.append(data)
            return len(data)
        if not data or isinstance(data, ReadOnlyFileBasedBuffer):
            return int(super().write_soon(data))
        with self.outbuf_lock:
            sent = self._send_now(data)
            if sent < len(data):
                self._keep(data[sent:])
        return len(data)

    def _keep(self, data: bytes) -> None:
        """Leave ``data`` to waitress; end the connection if that has no room for it."""
        try:
            super().write_soon(data)
        except OSError as exc:
            self.logger.error("no room to keep an answer that its client does not read: %s", exc)
            self.total_outbufs_len = 0  # not all that waitress counted is there: it would try for ever
            self.will_close = True
            self.server.pull_trigger()
            raise ClientDisconnected from exc

    def _send_now(self, data: bytes) -> int:
        """Send what goes without overtaking anything; nothing is lost by a failure, waitress will meet it again."""
        if self.total_outbufs_len or not self.connected:
            return 0
        sent, _ = self._flush_exception(lambda do_close: self.send(data, do_close), do_close=False)
        if sent:
            self.last_activity = time.time()
        return int(sent)

    def hold(self) -> None:
        """Keep what is written from now on."""
        self._held = []

    def release(self) -> None:
        """Send what was kept, in one."""
        stack, self._held = self._held, None
        self.write_soon(b"".join(stack or ()))
