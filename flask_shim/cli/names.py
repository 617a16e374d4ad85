"""``flask-shim rm``: names that were made here are deleted here."""

from __future__ import annotations

import click

from flask_shim.cli.desk import opened, target_of
from flask_shim.cli.settings import Refusal, backend_options


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@backend_options
def rm(*, names: tuple[str, ...], **options: str | None) -> None:
    """Delete names that were made from models with "ollama create" or "ollama cp".

    LM Studio's own models can only be deleted in LM Studio.
    """
    with opened(options) as services:
        for name in names:
            if not services.aliases.delete(name):
                found = target_of(services, name).entry.name
                raise Refusal(f"{found} is a model of LM Studio, and can only be deleted there.")
            click.echo(f"Deleted {name}.")
