"""Calls at the backend that another thread may hang up, and the one thread that does it.

A thread that waits for the backend sits in a blocking read: it sees neither that its client has gone nor that a
deadline has passed. The :class:`Watchdog` looks after all of them and wakes a reader by shutting its socket down,
which also is what makes LM Studio stop generating.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from flask_shim.errors import BackendTimeout, ClientDisconnected, ShimError

TICK_SECONDS = 0.1
"""How often the watchdog looks: a fifth of what users notice, and about 1 ms of CPU per second at 400 calls."""


def _never() -> bool:
    return False


class BackendCall:
    """One request at the backend, from before it is sent until its answer is read to the end.

    ``gone`` tells, from any thread and at once, whether the client that asked has hung up.
    """

    __slots__ = ("_deadline", "_gone", "_late", "_lock", "_sock", "_total_deadline", "failure", "headers")

    def __init__(
        self,
        is_disconnected: Callable[[], bool] = _never,
        *,
        total_timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Start without a deadline for the phase; ``total_timeout`` (seconds) bounds all phases together.

        ``headers`` go with every request of this call.
        """
        self.headers = headers or {}
        self.failure: ShimError | None = None
        self._gone = is_disconnected
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None
        self._deadline: float | None = None
        self._late = ""
        self._total_deadline = time.monotonic() + total_timeout if total_timeout else None

    def attach(self, sock: socket.socket) -> None:
        """Name the socket that carries this call; a call cancelled before is hung up at once."""
        with self._lock:
            self._sock = sock
            if self.failure is not None:
                _shut(sock)

    def detach(self) -> None:
        """Forget the socket: it is about to be closed, and its number may soon be somebody else's."""
        with self._lock:
            self._sock = None

    def cancel(self, failure: ShimError) -> None:
        """Hang up from any thread; the reading thread raises ``failure``. The first cancellation wins."""
        with self._lock:
            if self.failure is None:
                self.failure = failure
                if self._sock is not None:
                    _shut(self._sock)

    def allow(self, seconds: float | None, timeout_message: str) -> None:
        """Open a phase of at most ``seconds`` (None: any); ``late`` is what the client reads if it lasts longer."""
        self._late = timeout_message
        self._deadline = None if seconds is None else time.monotonic() + seconds

    def check(self) -> None:
        """Raise if the call was cancelled or its client has gone."""
        if self.failure is None and self._gone():
            self.cancel(ClientDisconnected())
        if self.failure is not None:
            raise self.failure

    def tick(self, now: float) -> None:
        """Cancel the call if its client has gone or a deadline has passed; ``now`` is :func:`time.monotonic`."""
        if self.failure is not None:
            return
        if self._gone():
            self.cancel(ClientDisconnected())
        elif self._deadline is not None and now > self._deadline:
            self.cancel(BackendTimeout(self._late))
        elif self._total_deadline is not None and now > self._total_deadline:
            self.cancel(BackendTimeout("the answer took longer than the total timeout allows"))


def _shut(sock: socket.socket) -> None:
    # The plain socket's shutdown, also under TLS: the wrapped one first drops the TLS state its reader is using.
    # SHUT_RDWR because Windows does not wake a reader for SHUT_RD.
    with suppress(OSError):  # already closed by the other side: nothing is left to wake
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


class Watchdog:
    """One daemon thread that ticks all open calls; it starts with the first call and sleeps while there is none."""

    def __init__(self, tick_seconds: float = TICK_SECONDS) -> None:
        """Look at every call each ``tick_seconds``."""
        self._tick_seconds = tick_seconds
        self._calls: set[BackendCall] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()  # one for each thread

    def __len__(self) -> int:
        """Return how many calls are being watched."""
        return len(self._calls)

    def watch(self, call: BackendCall) -> Watched:
        """Look after ``call`` while the returned context manager is open."""
        return Watched(self, call)

    def add(self, call: BackendCall) -> bool:
        """Start looking after ``call``; tell whether nobody had asked for that before."""
        with self._changed:
            is_new = call not in self._calls
            self._calls.add(call)
            if self._thread is None or not self._thread.is_alive():
                self._closing = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(self._closing,), name="shim-watchdog", daemon=True
                )
                self._thread.start()
            self._changed.notify()
        return is_new

    def remove(self, call: BackendCall) -> None:
        """Stop looking after ``call``; it may already have been removed."""
        with self._changed:
            self._calls.discard(call)

    def cancel_all(self, failure: ShimError) -> None:
        """Hang up every open call."""
        with self._changed:
            calls = tuple(self._calls)
        for call in calls:
            call.cancel(failure)

    def close(self) -> None:
        """End the thread at once; calls added later start a new one."""
        with self._changed:
            self._closing.set()
            self._changed.notify_all()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def _run(self, closing: threading.Event) -> None:
        while not closing.wait(self._tick_seconds):
            with self._changed:
                while not self._calls and not closing.is_set():
                    self._changed.wait()
                calls = tuple(self._calls)
            now = time.monotonic()
            for call in calls:
                call.tick(now)


class Watched:
    """The span in which the watchdog looks after a call; of spans inside each other the outermost counts."""

    __slots__ = ("_call", "_is_outermost", "_watchdog")

    def __init__(self, watchdog: Watchdog, call: BackendCall) -> None:
        """Pair the two; nothing happens before ``with``."""
        self._watchdog = watchdog
        self._call = call
        self._is_outermost = False

    def __enter__(self) -> BackendCall:
        """Start watching."""
        self._is_outermost = self._watchdog.add(self._call)
        return self._call

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        if self._is_outermost:
            self._watchdog.remove(self._call)
