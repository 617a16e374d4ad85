"""``flask-shim reload``: a running shim takes over the changes of ``flask-shim.toml``."""

from __future__ import annotations

import click

from flask_shim.cli.running_shim import open_shim
from flask_shim.cli.setting_options import shim_options
from flask_shim.config.shim_file import ShimFile
from flask_shim.config.toml_tables import kinds_of


@click.command()
@shim_options
def reload(*, url: str, **options: str | None) -> None:
    """Make a running shim read flask-shim.toml again.

    New requests get the new backends, profiles, rules and keys; running ones end as they began. If the file has a
    mistake, nothing changes.
    """
    with open_shim(url, options) as shim:
        found = shim.reload()
    if silent := found.get("silent_workers"):
        click.echo(f"Workers that did not answer in time, and may use the old file: {silent}. Reload again.", err=True)
    click.echo(f"In use: {found['file']} ({', '.join(f'{name}: {found[name]}' for name in kinds_of(ShimFile))}).")
