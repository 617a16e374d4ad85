"""``flask-shim serve``: run the shim."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence
from dataclasses import replace

import click
from flask import Flask

from flask_shim.app import create_app
from flask_shim.backend import all_client_options
from flask_shim.cli.banner import print_backends_later, print_start
from flask_shim.cli.setting_options import BAD_SETTINGS, CommandError, backend_options, errors_as_text, read_config
from flask_shim.config import Config, data_folder
from flask_shim.config.addresses import bracketed, is_loopback
from flask_shim.observability import logs
from flask_shim.serving import BindError, open_listeners, run, urls_of
from flask_shim.serving.loop_detection import is_own_listener


@click.command()
@click.option("--host", metavar="HOSTS", help="Addresses to listen on, comma-separated [SHIM_HOST].")
@click.option("--port", metavar="PORT", help="Port to listen on; 0 = any free one [SHIM_PORT].")
@backend_options
@click.option("--threads", metavar="N", help="Worker threads [SHIM_THREADS].")
@click.option("--workers", metavar="N", help="Processes [SHIM_WORKERS].")
@click.option("--debug", is_flag=True, help="Write a detailed log [SHIM_DEBUG].")
@click.option("--reload", is_flag=True, help="For developers: restart when the code changes; loopback only.")
def serve(*, reload: bool, env_file: str | None, **options: str | bool | None) -> None:
    """Serve Ollama's API until Ctrl-C.

    Ctrl-C waits for running answers, a second Ctrl-C aborts them.
    """
    config = read_config(env_file=env_file, **options)
    with errors_as_text():
        logs.configure(config)
        data_folder.check(config)
        app = create_app(config)
    if reload:
        _serve_with_reload(app, config)
        return
    listeners = open_listeners_or_exit(config)
    _check_for_loop(config, listeners)
    print_start(config, urls_of(listeners))
    print_backends_later(all_client_options(config))
    with errors_as_text():
        run(app, config, listeners)
    logs.finish()


def open_listeners_or_exit(config: Config) -> list[socket.socket]:
    """Open the sockets; raise CommandError with the reason if that fails."""
    try:
        return open_listeners(config)
    except BindError as exc:
        if config.log_file:  # a service has no console that is read
            logging.getLogger(__name__).critical("%s", exc)
        raise CommandError(str(exc), BAD_SETTINGS) from exc


def _check_for_loop(config: Config, listeners: Sequence[socket.socket]) -> None:
    """Raise CommandError if LM Studio's address is one of the listeners'."""
    settings = [("SHIM_LMSTUDIO_BASE", config.backend_url), ("SHIM_LMSTUDIO_REST_BASE", config.rest_url)]
    tables = [(f"{config.file.path}, line {each.line}", each.url) for each in config.file.backends]
    for name, url in tables or settings:
        if is_own_listener(url, listeners):
            raise CommandError(
                f"{name}: {url} is where the shim itself listens, so it would send requests to itself. Set it to "
                "LM Studio's address (http://localhost:1234 by default), or give the shim another SHIM_PORT.",
                BAD_SETTINGS,
            )


def _serve_with_reload(app: Flask, config: Config) -> None:
    """Serve with Werkzeug's development server, which watches the code; it does not notice disconnects."""
    from werkzeug.serving import is_running_from_reloader, run_simple

    if not all(map(is_loopback, config.hosts)):
        raise CommandError("--reload serves this machine only. Leave out SHIM_HOST and --host.", BAD_SETTINGS)
    if not config.port:
        raise CommandError("--reload cannot use port 0. Set SHIM_PORT or --port.", BAD_SETTINGS)
    config = replace(config, hosts=config.hosts[:1])
    if is_running_from_reloader():  # it inherits the open socket
        print_start(config, [f"http://{bracketed(config.hosts[0])}:{config.port}"])
    else:
        listeners = open_listeners_or_exit(config)
        _check_for_loop(config, listeners)
        for listener in listeners:
            listener.close()
    run_simple(config.hosts[0], config.port, app, use_reloader=True, threaded=True)
