"""Serve until a stop signal."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from flask import Flask

from flask_shim.config import Config
from flask_shim.inference.preload import Preloader
from flask_shim.observability import logs
from flask_shim.services import services_of
from flask_shim.serving.drain import drain
from flask_shim.serving.server import Server, collect_less_garbage
from flask_shim.serving.signals import handle_signals


def run(app: Flask, config: Config, listeners: Sequence[socket.socket]) -> None:
    """Serve ``app`` until a stop signal, then drain; owns the listeners and the app's services.

    With several workers ``app`` is closed, and each worker builds its own from ``config``.
    """
    services = services_of(app)
    if config.workers > 1:
        from flask_shim.serving.supervisor import Supervisor  # imports multiprocessing

        services.close()
        Supervisor(config, listeners).run()
        return
    server = Server(app, config, listeners)
    preloader = Preloader(services)
    collect_less_garbage()
    logs.leave_out_of_records()
    with handle_signals(lambda: drain(services, server), services.reload), preloader.running():
        server.run()
    services.close()
