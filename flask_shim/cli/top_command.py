"""``flask-shim top``: the requests in flight, live, in the terminal."""

from __future__ import annotations

import sys

import click
from rich.live import Live

from flask_shim.cli.cli_context import console
from flask_shim.cli.keyboard import DOWN, UP, pressed_keys
from flask_shim.cli.running_shim import RunningShim, open_shim
from flask_shim.cli.setting_options import CommandError, shim_options
from flask_shim.cli.tables import Row
from flask_shim.cli.top_view import View, render

REFRESH_SECONDS = 1.0

QUIT = ("q", "\x03", "\x1b")
"""Also Ctrl-C, which is a key on Windows, and Escape."""


@click.command()
@shim_options
def top(*, url: str, **options: str | None) -> None:
    """Watch the requests of a running shim, and stop them.

    Keys: Up and Down select, x stops the selected request, s sorts by the next column, q quits.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CommandError("flask-shim top needs a terminal. flask-shim requests --json prints the same once.")
    with open_shim(url, options) as shim:
        _watch(shim)


def _watch(shim: RunningShim) -> None:
    view = View()
    status, running = shim.get("/shim/status"), shim.get("/shim/requests")["running"]
    with pressed_keys() as read_key, Live(console=console(), screen=True, auto_refresh=False) as live:
        while True:
            live.update(render(view, status, running, live.console.width), refresh=True)
            try:
                key = read_key(REFRESH_SECONDS)
            except (KeyboardInterrupt, EOFError):
                return
            if key in QUIT:
                return
            _handle_key(view, key, running, shim)
            if key and key != "x":
                continue
            try:
                status, running = shim.get("/shim/status"), shim.get("/shim/requests")["running"]
            except CommandError as exc:
                view.failure = exc.message
            else:
                view.failure = ""


def _handle_key(view: View, key: str, running: list[Row], shim: RunningShim) -> None:
    view.message = view.message if not key else ""
    if key == "s":
        view.sort_next()
        view.message = f"Sorted by {view.sort}."
    elif key in (UP, "k"):
        view.move(running, -1)
    elif key in (DOWN, "j"):
        view.move(running, 1)
    elif key == "x" and view.selected:
        try:
            shim.cancel(view.selected)
            view.message = f"Stopped {view.selected}."
        except CommandError as exc:
            view.message = exc.message
