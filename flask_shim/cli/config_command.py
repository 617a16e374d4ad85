"""``flask-shim config``: configuration for what stands around the shim, filled in for this installation."""

from __future__ import annotations

from pathlib import Path

import click

from flask_shim.cli.setting_options import backend_options, read_config
from flask_shim.deploy import TEMPLATES, render, save

_BY_NAME = {template.name: template for template in TEMPLATES}

_EPILOG = "\b\n" + "\n".join(f"{template.name:<16} {template.what}" for template in TEMPLATES)


@click.command(name="config", epilog=_EPILOG)
@click.argument("name", type=click.Choice(list(_BY_NAME)), metavar="NAME")
@click.option("--root", metavar="FOLDER", help="Folder that holds .venv [that of this installation].")
@click.option("--output", metavar="FILE", type=click.Path(dir_okay=False), help="Write it there [print it].")
@backend_options
def config_file(*, name: str, root: str | None, output: str | None, **options: str | None) -> None:
    """Print the configuration NAME with this installation's folders and the settings in use."""
    text = render(_BY_NAME[name], read_config(**options), root)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        save(text, Path(output))
    except OSError as exc:
        raise click.ClickException(f"{output} can't be written: {exc.strerror}") from exc
