"""One worker process: ``python -m flask_shim.serving.worker``, started by the supervisor only."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

from flask import Flask

from flask_shim.app import create_app
from flask_shim.inference.preload import Preloader
from flask_shim.observability import logs
from flask_shim.observability.metrics import WorkerMetrics, metrics_of
from flask_shim.services import services_of
from flask_shim.serving.drain import drain
from flask_shim.serving.metrics_exchange import collect_from, serve_metrics
from flask_shim.serving.server import Server
from flask_shim.serving.signals import IGNORED, STOPPING
from flask_shim.serving.supervisor import WorkerConfig


def main() -> None:
    """Serve until the parent closes our standard input or ends."""
    for number in {*STOPPING, *IGNORED}:
        signal.signal(number, signal.SIG_IGN)
    settings: WorkerConfig = pickle.load(sys.stdin.buffer)  # noqa: S301 - only our parent can write to this pipe
    logs.configure(settings.config)
    app = create_app(settings.config)
    services = services_of(app)
    _share_metrics(app, settings)
    listeners = [socket.socket(family, socket.SOCK_STREAM, fileno=number) for number, family in settings.listeners]
    server = Server(app, settings.config, listeners)
    is_stopping = threading.Lock()

    def stop() -> None:
        if is_stopping.acquire(blocking=False):
            drain(services, server)

    def stop_with_parent() -> None:
        os.read(0, 1)  # not through sys.stdin: a thread that holds its lock at exit is a fatal error
        stop()

    signal.signal(signal.SIGTERM, lambda *_: _start(stop))
    _start(stop_with_parent)
    preloader = Preloader(services.config, services.registry, services.manager)
    with preloader.running() if settings.number == 1 else nullcontext():
        server.run()
    services.close()
    logs.finish()


def _share_metrics(app: Flask, settings: WorkerConfig) -> None:
    """Answer the scrapes of the other workers, and ask them for their metrics when this worker is scraped."""
    metrics = metrics_of(app)
    if metrics is None:
        return
    addresses = list(settings.metrics_addresses)
    own = addresses.pop(settings.number - 1)
    metrics.shown = workers = WorkerMetrics(metrics.registry, settings.number, partial(collect_from, addresses))
    serve_metrics(own, workers.collect_own)


def _start(action: Callable[[], object]) -> None:
    threading.Thread(target=action, daemon=True).start()


if __name__ == "__main__":
    main()
