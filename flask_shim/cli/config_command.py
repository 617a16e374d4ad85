"""``flask-shim config``: configuration files for services and front proxies, and a check of ``flask-shim.toml``."""

from __future__ import annotations

from pathlib import Path

import click

from flask_shim.cli.config_check import explain
from flask_shim.cli.help_lists import ListingCommand
from flask_shim.cli.setting_options import CommandError, backend_options, read_config
from flask_shim.deploy import TEMPLATES, render, save

_BY_NAME = {template.name: template for template in TEMPLATES}
CHECK = "check"
_NAMES = {
    CHECK: "which flask-shim.toml is used, and what its tables do",
    **{each.name: each.what for each in TEMPLATES},
}


@click.command(name="config", cls=ListingCommand, heading="Names", items=_NAMES)
@click.argument("name", type=click.Choice(list(_NAMES)), metavar="NAME")
@click.option("--root", metavar="FOLDER", help="Folder that holds .venv [that of this installation].")
@click.option("--output", metavar="FILE", type=click.Path(dir_okay=False), help="File to write [standard output].")
@backend_options
def config_file(*, name: str, root: str | None, output: str | None, **options: str | None) -> None:
    """Print a file for a service or a proxy, or check your own.

    NAME is one of those below. Folders are those of this installation, the rest follows the settings.
    """
    if name == CHECK:
        click.echo(explain(read_config(**options).file))
        return
    text = render(_BY_NAME[name], read_config(**options), root)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        save(text, Path(output))
    except OSError as exc:
        raise CommandError(f"{output} can't be written: {exc.strerror}. Choose another --output.") from exc
