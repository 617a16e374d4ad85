"""``flask-shim rm``: names that were made here are deleted here."""

from __future__ import annotations

import click

from flask_shim.cli.cli_context import open_services, resolve_name
from flask_shim.cli.setting_options import Refusal, backend_options


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@backend_options
def rm(*, names: tuple[str, ...], **options: str | None) -> None:
    """Delete names that were made from models with "ollama create" or "ollama cp".

    LM Studio's own models can only be deleted in LM Studio.
    """
    with open_services(options) as services:
        for name in names:
            if not services.aliases.delete(name):
                found = resolve_name(services, name).entry.name
                raise Refusal(f"{found} is a model of LM Studio, and can only be deleted there.")
            click.echo(f"Deleted {name}.")
