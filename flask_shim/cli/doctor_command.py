"""``flask-shim doctor``: find what is wrong between a client and LM Studio, and what to do about it."""

from __future__ import annotations

import json
import shutil

import click

from flask_shim import __version__
from flask_shim.cli.help_lists import ListingCommand
from flask_shim.cli.running_shim import follow_running_shim
from flask_shim.cli.setting_options import FAILED, backend_options, errors_as_text, json_option, read_config, shim_url
from flask_shim.doctor.clients import CLIENTS
from flask_shim.doctor.findings import Level, count
from flask_shim.doctor.report import to_json, to_lines, to_summary
from flask_shim.doctor.runner import Doctor
from flask_shim.lmstudio.lms.locate import is_this_machine

WIDEST = 110


@click.command(cls=ListingCommand, heading="Clients", items={name: client.title for name, client in CLIENTS.items()})
@click.option(
    "--client",
    "clients",
    type=click.Choice(list(CLIENTS)),
    metavar="NAME",
    multiple=True,
    help="Client whose requests to send; may be repeated.",
)
@click.option("--url", callback=shim_url, metavar="URL", help="Where clients reach the shim [localhost and SHIM_PORT].")
@click.option("--chat/--no-chat", default=None, help="Load a model to try a chat, or try none [if one is loaded].")
@json_option
@backend_options
def doctor(*, clients: tuple[str, ...], url: str, chat: bool | None, as_json: bool, **options: str | None) -> None:
    """Check the way from clients to LM Studio.

    Says what is wrong and what to do. If no shim is running, one is started for the checks. Ends with code 1 if
    something does not work.
    """
    config = read_config(**options)
    if not url or is_this_machine(url):
        config = follow_running_shim(config, url)
    width = min(shutil.get_terminal_size((WIDEST, 0)).columns, WIDEST)
    found = []
    if not as_json:
        click.echo(f"flask-shim {__version__}\n")
    with errors_as_text():
        for section in Doctor(config=config, clients=clients, url=url, chat=chat).sections():
            found.append(section)
            if not as_json:
                click.echo("\n".join(to_lines(section, width)))
    click.echo(json.dumps(to_json(found), indent=2) if as_json else to_summary(found))
    if count(found, Level.FAIL):
        raise click.exceptions.Exit(FAILED)
