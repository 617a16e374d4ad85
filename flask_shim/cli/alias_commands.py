"""``flask-shim rm``: delete names that were made with copy or create."""

from __future__ import annotations

import click

from flask_shim.cli.cli_context import complete_names, open_services, resolve_name
from flask_shim.cli.setting_options import CommandError, backend_options


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_names)
@backend_options
def rm(*, names: tuple[str, ...], **options: str | None) -> None:
    """Delete names that were made with copy or create.

    LM Studio's own models can only be deleted in LM Studio.
    """
    with open_services(options) as services:
        for name in names:
            if not services.aliases.delete(name):
                found = resolve_name(services, name).entry.name
                raise CommandError(f"{found} is a model of LM Studio. Delete it in LM Studio (My Models).")
            click.echo(f"Deleted {name}.")
