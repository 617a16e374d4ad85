"""Streams whose threads take turns to wait: one waits for the backends of all, and sends what they bring.

If each waited for its own, they would compete for Python's lock at every token: a thread wakes, finds the lock taken,
and sleeps again. With 32 streams, that took half of the CPU. The pattern is known as leader/followers: the leader runs
the generators of all streams, in the context of their own requests; a thread whose stream is over goes on alone, to
close its response. So what blocks in such a generator holds up every stream; what may take long belongs in ``close()``.
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

SWEEP_SECONDS = 0.25
"""How often a stream advances though its backend sends nothing, for heartbeats: they may be late by so much."""


class _Stream:
    """One stream, whose thread sleeps until another one has ended it or lets it lead."""

    def __init__(self, blocks: Iterator[bytes], polled: PolledSocket, write: Callable[[bytes], object]) -> None:
        self.polled = polled
        self.is_over = False
        self.failure: Exception | None = None
        """What its own thread must raise."""
        self.is_silent = False
        """Whether it has not advanced since the last sweep."""
        self._blocks = blocks
        self._write = write
        self._run = copy_context().run  # with the record of the request, for its log lines
        self._wakeup = Lock()
        self._wakeup.acquire()

    def sleep(self) -> None:
        """Wait, in its own thread, for :meth:`wake`, which may come first."""
        self._wakeup.acquire()

    def wake(self) -> None:
        """End :meth:`sleep`."""
        self._wakeup.release()

    def advance(self) -> None:
        """Send blocks until the backend must be awaited, or the stream is over."""
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
    """The streams of a server. Only the leader advances and removes them; other threads only add their own."""

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
        try:
            stream.advance()
            if not stream.is_over:
                if not self._add(stream):
                    stream.sleep()
                if not stream.is_over:
                    self._lead(stream)
            if stream.failure is not None:
                raise stream.failure
        finally:
            polled.is_polled = False
            stream.failure = None  # ends a reference cycle through its traceback

    def _add(self, stream: _Stream) -> bool:
        """Add a stream; return whether it leads."""
        descriptor = stream.polled.descriptor
        with self._lock:
            self._streams[descriptor] = stream  # before the leader, which polls meanwhile, can need it
            try:
                self._epoll.register(descriptor, select.EPOLLIN)
            except OSError:
                del self._streams[descriptor]
                raise
            self._leader = self._leader or stream
            return self._leader is stream

    def _lead(self, own: _Stream) -> None:
        """Advance all streams until the own one is over, then let another thread lead."""
        sweep_at = time.monotonic() + SWEEP_SECONDS
        try:
            while not own.is_over:
                for descriptor, _ in self._epoll.poll(max(0.0, sweep_at - time.monotonic())):
                    stream = self._streams[descriptor]
                    stream.polled.is_ready = True
                    self._advance(stream)
                if time.monotonic() >= sweep_at:
                    self._sweep()
                    sweep_at = time.monotonic() + SWEEP_SECONDS
        finally:
            self._remove(own)
            with self._lock:
                self._leader = next(iter(self._streams.values()), None)
                if self._leader is not None:
                    self._leader.wake()

    def _sweep(self) -> None:
        with self._lock:
            streams = tuple(self._streams.values())
        for stream in streams:
            if stream.is_silent:
                self._advance(stream)
            stream.is_silent = True

    def _advance(self, stream: _Stream) -> None:
        stream.advance()
        if stream.is_over:
            self._remove(stream)
            stream.wake()

    def _remove(self, stream: _Stream) -> None:
        """Stop waiting for a stream, before its thread closes the socket; it may have been removed."""
        with self._lock:
            if self._streams.pop(stream.polled.descriptor, None) is not None:
                self._epoll.unregister(stream.polled.descriptor)
