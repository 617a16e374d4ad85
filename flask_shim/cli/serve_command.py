"""``flask-shim serve``: start the shim."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence
from dataclasses import replace

import click
from flask import Flask

from flask_shim.app import create_app
from flask_shim.backend import client_options
from flask_shim.cli.banner import say_backend_soon, say_start
from flask_shim.cli.setting_options import BAD_SETTINGS, Refusal, backend_options, plain_failures, read_config
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
@click.option("--reload", is_flag=True, help="For developers: start again when the code changes; this machine only.")
def serve(*, reload: bool, env_file: str | None, **options: str | bool | None) -> None:
    """Serve Ollama's API until Ctrl-C; running answers may end, a second Ctrl-C cuts them."""
    config = read_config(env_file=env_file, **options)
    with plain_failures():
        logs.configure(config)
        data_folder.check(config)
        app = create_app(config)
    if reload:
        _serve_with_reload(app, config)
        return
    listeners = listeners_of(config)
    _refuse_to_ask_itself(config, listeners)
    say_start(config, urls_of(listeners))
    say_backend_soon(client_options(config))
    run(app, config, listeners)
    logs.finish()


def listeners_of(config: Config) -> list[socket.socket]:
    """Open the sockets, or end with the text that says why it can't be done."""
    try:
        return open_listeners(config)
    except BindError as exc:
        if config.log_file:  # nothing reads the console of a service
            logging.getLogger(__name__).critical("%s", exc)
        raise Refusal(str(exc), BAD_SETTINGS) from exc


def _refuse_to_ask_itself(config: Config, listeners: Sequence[socket.socket]) -> None:
    """End with a text if LM Studio's address is one of the listeners'."""
    for name, url in (("SHIM_LMSTUDIO_BASE", config.backend_url), ("SHIM_LMSTUDIO_REST_BASE", config.rest_url)):
        if is_own_listener(url, listeners):
            raise Refusal(
                f"{name}: {url} is where the shim itself listens, so it would ask itself. Name LM Studio's own address "
                "(http://localhost:1234 unless it was changed there), or give the shim another SHIM_PORT.",
                BAD_SETTINGS,
            )


def _serve_with_reload(app: Flask, config: Config) -> None:
    """Serve with Werkzeug's development server, which watches the code; it does not notice clients that hang up."""
    from werkzeug.serving import is_running_from_reloader, run_simple

    if not all(map(is_loopback, config.hosts)):
        raise Refusal("--reload is for this machine only: leave out SHIM_HOST and --host.", BAD_SETTINGS)
    if not config.port:
        raise Refusal("--reload needs a port of its own: 0 does not do.", BAD_SETTINGS)
    config = replace(config, hosts=config.hosts[:1])
    if is_running_from_reloader():  # the socket is open, and handed down from process to process
        say_start(config, [f"http://{bracketed(config.hosts[0])}:{config.port}"])
    else:
        listeners = listeners_of(config)
        _refuse_to_ask_itself(config, listeners)
        for listener in listeners:
            listener.close()
    run_simple(config.hosts[0], config.port, app, use_reloader=True, threaded=True)
