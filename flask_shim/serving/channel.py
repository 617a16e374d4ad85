"""A client's connection, with shortcuts.

waitress keeps what it sends in a buffer that begins anew only when all of a request is answered, sends an answer's head
by itself, and has every request answered by a worker. For streams that is memory, for small answers a packet and two
changes of thread too many.
"""

from __future__ import annotations

import time
from threading import get_ident
from typing import Any

from waitress.buffers import ReadOnlyFileBasedBuffer
from waitress.channel import HTTPChannel
from waitress.task import WSGITask

from flask_shim.serving.refused import refusing
from flask_shim.serving.strictness import StrictParser


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
    error_task_class = staticmethod(refusing)
    _held: list[bytes] | None = None
    _reader: int | None = None
    _is_claimed = False

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
                super().write_soon(data[sent:])
        return len(data)

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
        held, self._held = self._held, None
        self.write_soon(b"".join(held or ()))
