"""Streams whose threads take turns to wait: one waits for the backends of all, and sends what they bring.

If each waited for its own, they would compete for Python's lock at every token: a thread wakes, finds the lock taken,
and sleeps again. With 32 streams, that took half of the CPU. The pattern is known as leader/followers.
"""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Callable, Iterator
from contextvars import copy_context
from threading import Lock

from flask_shim.lmstudio.http.polled_socket import PolledSocket

if sys.platform != "linux":
    raise ImportError("only Linux has epoll")

SWEEP_SECONDS = 0.5
"""How often a stream goes on though its backend sends nothing, for heartbeats."""


class _Stream:
    """One stream. Its thread sleeps in :attr:`turn` until the stream is over, or until it leads."""

    def __init__(self, blocks: Iterator[bytes], polled: PolledSocket, write: Callable[[bytes], object]) -> None:
        self.polled = polled
        self.is_over = self.is_silent = False
        self.failure: BaseException | None = None
        self.turn = Lock()
        self.turn.acquire()
        self._blocks = blocks
        self._write = write
        self._run = copy_context().run  # the record of the request, for its log lines

    def go_on(self) -> None:
        """Send blocks until the backend must be awaited."""
        self.is_silent = self.polled.is_awaited = False
        try:
            self._run(self._send)
        except StopIteration:
            self.is_over = True
        except Exception as exc:  # noqa: BLE001  the thread of the stream raises it
            self.failure, self.is_over = exc, True

    def _send(self) -> None:
        while not self.polled.is_awaited:
            if block := next(self._blocks):
                self._write(block)


class StreamGroup:
    """The streams of a server."""

    def __init__(self) -> None:
        """There are none yet."""
        self._epoll = select.epoll()
        self._lock = Lock()
        self._streams: dict[int, _Stream] = {}
        self._leader: _Stream | None = None

    def run(self, blocks: Iterator[bytes], polled: PolledSocket, write: Callable[[bytes], object]) -> None:
        """Write all blocks; b"" stands where a read from ``polled`` could not receive, or means nothing."""
        stream = _Stream(blocks, polled, write)
        polled.is_polled = True
        stream.go_on()
        if not stream.is_over:
            if not self._add(stream):
                stream.turn.acquire()
            if not stream.is_over:
                self._lead(stream)
        polled.is_polled = False
        if stream.failure is not None:
            raise stream.failure

    def _add(self, stream: _Stream) -> bool:
        """Add a stream; return whether it leads."""
        with self._lock:
            self._streams[stream.polled.descriptor] = stream
            self._epoll.register(stream.polled.descriptor, select.EPOLLIN)
            self._leader = self._leader or stream
            return self._leader is stream

    def _lead(self, own: _Stream) -> None:
        """Wait for all streams until the own one is over, then let another thread lead."""
        sweep_at = time.monotonic() + SWEEP_SECONDS
        try:
            while not own.is_over:
                for descriptor, _ in self._epoll.poll(SWEEP_SECONDS):
                    stream = self._streams[descriptor]
                    stream.polled.is_ready = True
                    self._go_on(stream)
                if (now := time.monotonic()) >= sweep_at:
                    sweep_at = now + SWEEP_SECONDS
                    self._sweep()
        finally:
            self._remove(own)
            with self._lock:
                self._leader = next(iter(self._streams.values()), None)
                if self._leader is not None:
                    self._leader.turn.release()

    def _sweep(self) -> None:
        for stream in tuple(self._streams.values()):
            if stream.is_silent:
                self._go_on(stream)
            stream.is_silent = True

    def _go_on(self, stream: _Stream) -> None:
        stream.go_on()
        if stream.is_over:
            self._remove(stream)
            stream.turn.release()

    def _remove(self, stream: _Stream) -> None:
        with self._lock:
            if self._streams.pop(stream.polled.descriptor, None) is not None:
                self._epoll.unregister(stream.polled.descriptor)
