"""Several processes behind one port: ``SHIM_WORKERS``.

The parent opens the sockets and serves nothing itself. Each worker is a process of its own with its own threads, its
own model list and its own memory of which model is how long unused; the kernel decides which of them takes a
connection. The limits of the settings hold for all of them together: each worker gets an equal part of the streams
and the connections, rounded up. A worker that is full says "busy" even while another one has slots left. The store of
aliases is shared; each worker writes a log file of its own.

A worker that dies is replaced, later each time if it dies soon. A worker whose parent dies notices it and ends.
"""

from __future__ import annotations

import logging
import math
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, NamedTuple, cast

from flask_shim.config import Config
from flask_shim.serving.drain import ABORT_SECONDS, FLUSH_SECONDS
from flask_shim.serving.metrics_exchange import exchange_addresses
from flask_shim.serving.server import THREADS_SECONDS
from flask_shim.serving.signals import stop_signals

log = logging.getLogger(__name__)

STEADY_SECONDS = 10.0
"""A worker that lived this long did not die of how it was started."""

LONGEST_PAUSE_SECONDS = 30.0
TICK_SECONDS = 0.5
"""How long the parent waits before it looks up: on Windows no signal wakes it."""

GRACE_SECONDS = ABORT_SECONDS + FLUSH_SECONDS + THREADS_SECONDS + 2.0
"""What a worker may need beyond the time its answers have."""

STOP = 0
"""The event that ends the parent's loop; all others are numbers of workers that have ended."""


class WorkerConfig(NamedTuple):
    """What a worker is started with, sent to it over its standard input, which stays open as long as it shall live."""

    number: int
    config: Config
    listeners: tuple[tuple[int, socket.AddressFamily], ...]
    """Descriptor (on Windows: handle) and family of each; the process inherits them under the same numbers."""
    metrics_addresses: tuple[str, ...]
    """Where each worker sends its metrics, the first worker first."""


@dataclass(slots=True)
class Worker:
    """One worker's place in the crew, and who has it."""

    number: int
    process: subprocess.Popen[bytes]
    started_at: float
    failures: int = 0


def pause_before_restart(lived_seconds: float, failures: int) -> float:
    """Return the seconds to wait; ``failures`` is how many times in a row it died soon, this time included."""
    if lived_seconds >= STEADY_SECONDS:
        return 0.0
    return float(min(2 ** (failures - 1), LONGEST_PAUSE_SECONDS))


def share_of(config: Config, number: int) -> Config:
    """Return the settings of one worker of the crew, counted from 1."""
    streams = math.ceil(config.max_streams / config.workers)
    return replace(
        config,
        workers=1,
        max_streams=streams,
        threads=streams + config.threads - config.max_streams,
        connection_limit=math.ceil(config.connection_limit / config.workers),
        log_file=config.log_file and _numbered(config.log_file, number),
        notes=(),
    )


def _numbered(path: Path, number: int) -> Path:
    # Two processes can't rotate one file; Windows wouldn't even let them rename it.
    return path.with_name(f"{path.stem}-{number}{path.suffix}")


class Supervisor:
    """Keeps ``config.workers`` processes at work on the same sockets."""

    def __init__(self, config: Config, listeners: Sequence[socket.socket]) -> None:
        """Start nothing yet; ``listeners`` belong to the crew from here on."""
        self._config = config
        self._listeners = listeners
        self._events: SimpleQueue[int] = SimpleQueue()
        self._members: dict[int, Worker] = {}
        self._due: dict[int, float] = {}
        self._metrics_addresses: tuple[str, ...] = ()

    def run(self) -> None:
        """Serve until a stop signal has been obeyed."""
        addresses = exchange_addresses(self._config.workers)
        with stop_signals(lambda: self._events.put(STOP), self._kill), addresses as self._metrics_addresses:
            for number in range(1, self._config.workers + 1):
                self._start(number)
            while (number := self._next_event()) != STOP:
                self._plan_restart(self._members[number])
            self._drain()
        for listener in self._listeners:
            listener.close()

    def _next_event(self) -> int:
        while True:
            self._restart_due()
            try:
                return self._events.get(timeout=TICK_SECONDS)
            except Empty:
                continue

    def _restart_due(self) -> None:
        for number in [number for number, due in self._due.items() if due <= time.monotonic()]:
            try:
                self._start(number)
            except OSError as exc:
                log.error("worker=%d can't be started: %s", number, exc)
                self._due[number] = time.monotonic() + LONGEST_PAUSE_SECONDS
            else:
                del self._due[number]

    def _start(self, number: int) -> None:
        process = _spawn(self._listeners)
        before = self._members.get(number)
        self._members[number] = Worker(number, process, time.monotonic(), before.failures if before else 0)
        numbers = tuple((listener.fileno(), listener.family) for listener in self._listeners)
        try:
            part = share_of(self._config, number)
            pickle.dump(WorkerConfig(number, part, numbers, self._metrics_addresses), _stdin(process))
            _stdin(process).flush()
        except OSError as exc:
            log.warning("worker=%d took no orders: %s", number, exc)  # the thread below logs its end
        log.info("started worker=%d pid=%d", number, process.pid)
        threading.Thread(target=self._watch, args=(number, process), daemon=True).start()

    def _watch(self, number: int, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self._events.put(number)

    def _plan_restart(self, member: Worker) -> None:
        lived = time.monotonic() - member.started_at
        member.failures = 0 if lived >= STEADY_SECONDS else member.failures + 1
        pause = pause_before_restart(lived, member.failures)
        _hang_up(member.process)
        code = member.process.returncode
        log.error("worker=%d ended code=%d lived=%.0f s, restart in %g s", member.number, code, lived, pause)
        self._due[member.number] = time.monotonic() + pause

    def _drain(self) -> None:
        members = [member for member in self._members.values() if member.process.poll() is None]
        log.info("stopping workers=%d", len(members))
        deadline = time.monotonic() + self._config.drain_delay + self._config.drain_seconds + GRACE_SECONDS
        for member in members:
            _hang_up(member.process)
        for member in members:
            try:
                member.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("worker=%d does not end, killed", member.number)
                member.process.kill()
                member.process.wait()
        log.info("stopped")

    def _kill(self) -> None:
        for member in list(self._members.values()):
            if member.process.poll() is None:
                member.process.kill()


def _stdin(process: subprocess.Popen[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", process.stdin)  # a pipe: _spawn asks for one


def _hang_up(process: subprocess.Popen[bytes]) -> None:
    try:
        _stdin(process).close()
    except OSError as exc:
        log.debug("pid=%d had hung up before: %s", process.pid, exc)


def _spawn(listeners: Sequence[socket.socket]) -> subprocess.Popen[bytes]:
    """Start a process that has the sockets, and that Ctrl-C in our terminal does not reach."""
    command = [sys.executable, "-m", "flask_shim.serving.worker"]
    if sys.platform == "win32":
        # A list of handles to inherit would not get past the launcher that python.exe is in a virtual environment.
        for listener in listeners:
            listener.set_inheritable(True)
        return subprocess.Popen(  # noqa: S603 - ourselves
            command, stdin=subprocess.PIPE, close_fds=False, creationflags=subprocess.CREATE_NEW_PROCESS_GROUP
        )
    numbers = [listener.fileno() for listener in listeners]
    return subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=numbers, start_new_session=True)  # noqa: S603
