"""Backend requests that another thread can cancel, and the watchdog thread that cancels them.

A thread that waits for the backend is blocked in a socket call, so it notices neither a disconnected client nor a
deadline. The :class:`Watchdog` checks all calls and aborts the sockets of those to cancel. LM Studio stops generating
when the connection is closed.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import KW_ONLY, InitVar, dataclass, field

from flask_shim.errors import ShimError
from flask_shim.lmstudio.errors import BackendTimeout, ClientDisconnected
from flask_shim.lmstudio.http.options import Trace
from flask_shim.lmstudio.http.polled_socket import PolledSocket
from flask_shim.lmstudio.http.socket_abort import abort_socket

CHECK_SECONDS = 0.1
"""How often the watchdog checks its calls; costs about 1 ms of CPU per second at 400 calls."""

PAUSE_SECONDS = 2.0
"""A later check means that the process was stopped or the machine suspended, when Windows' monotonic clock goes on."""


@dataclass(slots=True)
class Ticks:
    """Let the thread of a call do something every ``seconds`` (None: never) or sooner while it waits for the backend.

    It calls ``callback``. Once that is None, a tick ends the read that waits.
    """

    seconds: float | None
    callback: Callable[[], None] | None
    polled: PolledSocket | None = None
    """Then, the socket of the answer, for which another thread may wait; None if only reads can wait."""


@dataclass(slots=True, eq=False, repr=False)
class BackendCall:
    """One backend request, from before it is sent until its response is read to the end.

    ``is_disconnected`` returns whether the client has disconnected; it is called from any thread and must not block.
    """

    is_disconnected: Callable[[], bool] = lambda: False
    _: KW_ONLY
    total_timeout: InitVar[float | None] = None
    """The limit for all phases together."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every request of this call."""
    trace: Trace | None = None
    ticks: Ticks | None = None
    is_awaited: bool = True
    """Whether a process that stops waits for this call."""
    failure: ShimError | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _sock: socket.socket | None = field(default=None, init=False)
    _deadline: float | None = field(default=None, init=False)  # of the phase
    _timeout_message: str = field(default="", init=False)
    _is_connecting: bool = field(default=False, init=False)
    _total_deadline: float | None = field(default=None, init=False)

    def __post_init__(self, total_timeout: float | None) -> None:
        if total_timeout:
            self._total_deadline = time.monotonic() + total_timeout

    def suspend_deadline(self) -> None:
        """Suspend the phase's deadline until a socket is attached: connecting has a time-out of its own.

        A request whose connection attempt failed did not arrive, so it may be sent elsewhere; one that took too long
        may not.
        """
        self._is_connecting = True

    def attach(self, sock: socket.socket) -> None:
        """Set the socket of this call; abort it if the call was cancelled, or took too long, before."""
        with self._lock:
            self._sock = sock
        self._is_connecting = False
        self.cancel_if_due(time.monotonic())

    def detach(self) -> None:
        """Forget the socket before it is closed, since the system may reuse its descriptor."""
        with self._lock:
            self._sock = None

    def cancel(self, failure: ShimError | None) -> None:
        """Abort the request from any thread; the reading thread raises the ``failure`` that was given first."""
        with self._lock:
            self.failure = self.failure or failure
            if self._sock is not None:
                abort_socket(self._sock)

    def allow(self, seconds: float | None, timeout_message: str) -> None:
        """Start a phase of at most ``seconds`` (None: unlimited), which fails with ``timeout_message``.

        Without a message only its connection is aborted, and the call may send another request.
        """
        self._timeout_message = timeout_message
        self._is_connecting = False
        self._deadline = None if seconds is None else time.monotonic() + seconds

    def extend(self, seconds: float) -> None:
        """Move all deadlines: the call has waited before it was sent, or this process did not run for so long."""
        if (deadline := self._deadline) is not None:  # the call's thread may end the phase meanwhile
            self._deadline = deadline + seconds
        if self._total_deadline is not None:
            self._total_deadline += seconds

    def check(self) -> None:
        """Raise if the call was cancelled or its client has disconnected, otherwise tick; for the call's own thread."""
        if self.failure is None and self.is_disconnected():
            self.cancel(ClientDisconnected())
        if self.failure is not None:
            raise self.failure
        if self.ticks is not None and self.ticks.callback is not None:
            self.ticks.callback()

    def pause(self, seconds: float) -> None:
        """Do nothing for a time, and raise as :meth:`check` does."""
        ends_at = time.monotonic() + seconds
        while (left := ends_at - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, CHECK_SECONDS))
        self.check()

    def tick(self) -> bool:
        """Tick after a read has timed out; return whether to read again, otherwise the tick ends the read."""
        self.check()
        return self.ticks is not None and self.ticks.callback is not None

    def cancel_if_due(self, now: float) -> None:
        """Cancel the call if its client has disconnected or a deadline (by :func:`time.monotonic`) has passed."""
        if self.failure is not None:
            self.cancel(self.failure)  # on Windows, its thread may have begun to wait after the first abort
        elif self.is_disconnected():
            self.cancel(ClientDisconnected())
        elif (deadline := self._deadline) is not None and now > deadline and not self._is_connecting:
            self.cancel(BackendTimeout(self._timeout_message) if self._timeout_message else None)
        elif self._total_deadline is not None and now > self._total_deadline:
            self.cancel(BackendTimeout("the answer took longer than the total timeout allows"))


class Watchdog:
    """One daemon thread that checks all open calls; it starts with the first call and sleeps while no call is open."""

    def __init__(self, check_seconds: float = CHECK_SECONDS) -> None:
        self._check_seconds = check_seconds
        self._calls: set[BackendCall] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()  # one for each thread

    def __len__(self) -> int:
        """Return how many calls are being watched."""
        return len(self._calls)

    def count_awaited(self) -> int:
        """Return how many of them a process that stops has to wait for."""
        with self._changed:
            return sum(call.is_awaited for call in self._calls)

    @contextmanager
    def watch(self, call: BackendCall) -> Iterator[BackendCall]:
        """Watch ``call`` during a block; of nested blocks the outermost counts."""
        is_outermost = self.add(call)
        try:
            yield call
        finally:
            if is_outermost:
                self.remove(call)

    def add(self, call: BackendCall) -> bool:
        """Start watching ``call``; return whether it was not watched before."""
        with self._changed:
            is_new = call not in self._calls
            if self._thread is None or not self._thread.is_alive():
                closing = threading.Event()
                thread = threading.Thread(target=self._run, args=(closing,), name="shim-watchdog", daemon=True)
                thread.start()  # the next call tries again where the system refuses a thread
                self._closing, self._thread = closing, thread
            self._calls.add(call)
            self._changed.notify()
        return is_new

    def remove(self, call: BackendCall) -> None:
        """Stop watching ``call``; it may already have been removed."""
        with self._changed:
            self._calls.discard(call)

    def cancel_all(self, failure: ShimError) -> None:
        """Cancel every open call."""
        with self._changed:
            calls = tuple(self._calls)
        for call in calls:
            call.cancel(failure)

    def close(self) -> None:
        """End the thread; calls added later start a new one."""
        with self._changed:
            self._closing.set()
            self._changed.notify_all()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def _run(self, closing: threading.Event) -> None:
        before = time.monotonic()
        while not closing.wait(self._check_seconds):
            pause = time.monotonic() - before - self._check_seconds
            with self._changed:
                while not self._calls and not closing.is_set():
                    self._changed.wait()
                calls = tuple(self._calls)
            now = time.monotonic()
            for call in calls:
                if pause > PAUSE_SECONDS:
                    call.extend(pause)
                call.cancel_if_due(now)
            before = now
