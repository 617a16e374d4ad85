"""Several processes behind one port: ``SHIM_WORKERS``.

The parent opens the sockets and serves nothing itself. Each worker has its own threads, model list, keep-alive times
and log file; they share the alias store. The kernel decides which worker accepts a connection. Each worker gets an
equal part of the streams and connections, rounded up. When its part is in use it answers 503, or queues the request,
even if another has free slots.

A worker that dies is replaced, after a growing pause if it died soon. A worker ends when its parent dies.
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
from typing import IO, NamedTuple, cast

from flask_shim.config import Config
from flask_shim.services import RELOAD
from flask_shim.serving.drain import ABORT_SECONDS, FLUSH_SECONDS, LEAVE_SECONDS
from flask_shim.serving.server import THREADS_SECONDS
from flask_shim.serving.signals import handle_signals
from flask_shim.serving.worker_exchange import ask, exchange_addresses

log = logging.getLogger(__name__)

STEADY_SECONDS = 10.0
"""A worker that lived this long was started properly."""

LONGEST_PAUSE_SECONDS = 30.0
TICK_SECONDS = 0.5
"""How often the parent looks whether a worker has ended. No signal interrupts a longer wait on Windows."""

GRACE_SECONDS = ABORT_SECONDS + FLUSH_SECONDS + LEAVE_SECONDS + THREADS_SECONDS + 2.0
"""What a worker may need in addition to the drain time."""


class WorkerConfig(NamedTuple):
    """What a worker receives on its standard input, which stays open until it shall stop."""

    number: int
    config: Config
    listeners: tuple[tuple[int, socket.AddressFamily], ...]
    """Descriptor (on Windows: handle) and family of each; the process inherits them under the same numbers."""
    exchange_addresses: tuple[str, ...]
    """Where each worker answers the others, in the order of their numbers."""


@dataclass(slots=True)
class Worker:
    """A worker's number, and the process that has it."""

    number: int
    process: subprocess.Popen[bytes]
    started_at: float
    failures: int = 0


def pause_before_restart(lived_seconds: float, failures: int) -> float:
    """Return the seconds to wait; ``failures`` counts how many times in a row it died soon."""
    if lived_seconds >= STEADY_SECONDS:
        return 0.0
    return float(min(2 ** (failures - 1), LONGEST_PAUSE_SECONDS))


def share_of(config: Config, number: int) -> Config:
    """Return the settings of one worker; numbers begin at 1."""
    streams = math.ceil(config.max_streams / config.workers)
    path = config.log_file
    return replace(
        config,
        workers=1,
        processes=config.workers,
        file=config.file.for_one_of(config.workers),
        max_streams=streams,
        threads=streams + config.threads - config.max_streams,
        connection_limit=math.ceil(config.connection_limit / config.workers),
        # Two processes can't rotate one file, and Windows can't rename a file that another process has open.
        log_file=path and path.with_name(f"{path.stem}-{number}{path.suffix}"),
        preload=config.preload if number == 1 else (),
        notes=(),
    )


class Supervisor:
    """Keeps ``config.workers`` processes running on the same sockets."""

    def __init__(self, config: Config, listeners: Sequence[socket.socket]) -> None:
        """Start nothing yet; owns ``listeners``."""
        self._config = config
        self._listeners = listeners
        self._stopping = threading.Event()
        self._workers: dict[int, Worker] = {}
        self._due = dict.fromkeys(range(1, config.workers + 1), 0.0)
        self._addresses: tuple[str, ...] = ()

    def run(self) -> None:
        """Serve until a stop signal, then drain."""
        exchange = exchange_addresses(self._config.workers)
        signals = handle_signals(self._stopping.set, self._reload, self._kill)
        with signals, exchange as self._addresses:
            while not self._stopping.is_set():
                self._start_due()
                self._stopping.wait(TICK_SECONDS)
                self._notice_ended()
            self._drain()

    def _start_due(self) -> None:
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
        before = self._workers.get(number)
        self._workers[number] = Worker(number, process, time.monotonic(), before.failures if before else 0)
        numbers = tuple((listener.fileno(), listener.family) for listener in self._listeners)
        try:
            part = share_of(self._config, number)
            pickle.dump(WorkerConfig(number, part, numbers, self._addresses), _stdin(process))
            _stdin(process).flush()
        except OSError as exc:
            log.warning("worker=%d did not read its settings: %s", number, exc)  # its end is noticed
        log.info("started worker=%d pid=%d", number, process.pid)

    def _notice_ended(self) -> None:
        for number, worker in self._workers.items():
            if number not in self._due and worker.process.poll() is not None:
                self._plan_restart(worker)

    def _plan_restart(self, worker: Worker) -> None:
        lived = time.monotonic() - worker.started_at
        worker.failures = 0 if lived >= STEADY_SECONDS else worker.failures + 1
        pause = pause_before_restart(lived, worker.failures)
        _close_input(worker.process)
        code = worker.process.returncode
        log.error("worker=%d ended code=%d lived=%.0f s, restart in %g s", worker.number, code, lived, pause)
        self._due[worker.number] = time.monotonic() + pause

    def _drain(self) -> None:
        workers = [worker for worker in self._workers.values() if worker.process.poll() is None]
        log.info("stopping workers=%d", len(workers))
        for listener in self._listeners:
            listener.close()  # a socket that no worker accepts from any more would take connections that are then reset
        deadline = time.monotonic() + self._config.drain_delay + self._config.drain_seconds + GRACE_SECONDS
        for worker in workers:
            _close_input(worker.process)
        for worker in workers:
            try:
                worker.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("worker=%d does not end, killed", worker.number)
                worker.process.kill()
                worker.process.wait()
        log.info("stopped")

    def _reload(self) -> None:
        """Let all workers take over the changes of ``flask-shim.toml``; they log what is wrong with it."""
        list(ask(self._addresses, RELOAD))

    def _kill(self) -> None:
        for worker in list(self._workers.values()):
            if worker.process.poll() is None:
                worker.process.kill()


def _stdin(process: subprocess.Popen[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", process.stdin)  # a pipe: _spawn asks for one


def _close_input(process: subprocess.Popen[bytes]) -> None:
    try:
        _stdin(process).close()
    except OSError as exc:
        log.debug("pid=%d has closed its input: %s", process.pid, exc)


def _spawn(listeners: Sequence[socket.socket]) -> subprocess.Popen[bytes]:
    """Start a process that inherits the sockets and does not receive our terminal's Ctrl-C."""
    command = [sys.executable, "-m", "flask_shim.serving.worker"]
    if sys.platform == "win32":
        # In a virtual environment python.exe is a launcher, which does not pass on a list of handles.
        for listener in listeners:
            listener.set_inheritable(True)
        return subprocess.Popen(  # noqa: S603 - ourselves
            command, stdin=subprocess.PIPE, close_fds=False, creationflags=subprocess.CREATE_NEW_PROCESS_GROUP
        )
    numbers = [listener.fileno() for listener in listeners]
    return subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=numbers, start_new_session=True)  # noqa: S603
