"""One worker process: ``python -m flask_shim.serving.worker``, started by the supervisor only."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any

from flask import Flask

from flask_shim.app import create_app
from flask_shim.config import ConfigError
from flask_shim.inference.preload import Preloader
from flask_shim.observability import logs
from flask_shim.observability.access_log import recorder_of
from flask_shim.observability.activity import activity_of
from flask_shim.observability.metrics import WorkerMetrics, metrics_of
from flask_shim.routes.exchange_records import QUESTIONS
from flask_shim.services import RELOAD, services_of
from flask_shim.serving.drain import drain
from flask_shim.serving.server import Server, collect_less_garbage
from flask_shim.serving.signals import RELOADING, STOPPING
from flask_shim.serving.supervisor import WorkerConfig
from flask_shim.serving.worker_exchange import ask, serve_answers

log = logging.getLogger(__name__)

_METRICS = "metrics"


def main() -> None:
    """Serve until the parent closes our standard input or ends."""
    for number in {*STOPPING, *RELOADING}:
        signal.signal(number, signal.SIG_IGN)
    settings: WorkerConfig = pickle.load(sys.stdin.buffer)  # noqa: S301 - only our parent can write to this pipe
    logs.configure(settings.config)
    app = create_app(settings.config)
    services = services_of(app)
    _connect_workers(app, settings)
    if settings.config.file.path:
        services.reload()  # the parent's settings are those of its start
    listeners = [socket.socket(family, socket.SOCK_STREAM, fileno=number) for number, family in settings.listeners]
    try:
        server = Server(app, settings.config, listeners)
    except ConfigError as exc:
        log.error("worker=%d can't serve: %s", settings.number, exc)
        logs.finish()
        sys.exit(1)
    is_stopping = threading.Lock()

    def stop() -> None:
        if is_stopping.acquire(blocking=False):
            drain(services, server)

    def stop_with_parent() -> None:
        os.read(0, 1)  # not through sys.stdin: a thread that holds its lock at exit is a fatal error
        stop()

    signal.signal(signal.SIGTERM, lambda *_: _start(stop))
    _start(stop_with_parent)
    preloader = Preloader(services)
    collect_less_garbage()
    logs.leave_out_of_records()
    with preloader.running():
        server.run()
    services.close()
    logs.finish()


def _connect_workers(app: Flask, settings: WorkerConfig) -> None:
    """Show the metrics, activity and exchanges of all workers, and reload all: answer the others, and ask them."""
    addresses = list(settings.exchange_addresses)
    own = addresses.pop(settings.number - 1)
    activity, metrics = activity_of(app), metrics_of(app)
    activity.ask_others = partial(ask, addresses)
    activity.other_workers = len(addresses)
    workers = None
    if metrics is not None:
        workers = WorkerMetrics(
            metrics.registry, settings.number, lambda: chain.from_iterable(ask(addresses, _METRICS))
        )
        metrics.shown = workers

    def answer(question: str, argument: str) -> Any:
        if question == _METRICS:
            return list(workers.collect_own()) if workers else []
        if question in QUESTIONS:
            with app.app_context():
                return QUESTIONS[question](argument)
        return services_of(app).reload() if question == RELOAD else activity.answer(question, argument)

    serve_answers(own, answer)
    for state in ask(addresses, "recording"):  # the inspector may have been switched on or off at the page
        recorder_of(app).inspector.resume(state)


def _start(action: Callable[[], object]) -> None:
    threading.Thread(target=action, daemon=True).start()


if __name__ == "__main__":
    main()
