"""``flask-shim config``: configuration files for services and front proxies, and a check of ``flask-shim.toml``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from flask_shim.cli.cli_context import QUICK_SECONDS, open_services
from flask_shim.cli.config_check import explain
from flask_shim.cli.help_lists import ListingCommand
from flask_shim.cli.setting_options import BAD_SETTINGS, CommandError, backend_options, read_config
from flask_shim.config.addresses import with_port
from flask_shim.deploy.rendering import CLUSTERS, TEMPLATES, render, save
from flask_shim.translate.ollama.listing import Entry

CHECK = "check"
_NAMES = {
    CHECK: "which flask-shim.toml is used, and what its tables do",
    **{each: template.what for each, template in TEMPLATES.items()},
}


@click.command(cls=ListingCommand, heading="Names", items=_NAMES)
@click.argument("name", type=click.Choice(list(_NAMES)), metavar="NAME")
@click.option(
    "--shim", "shims", metavar="HOST:PORT", multiple=True, help="A shim behind nginx-cluster or haproxy; once for each."
)
@click.option("--root", metavar="FOLDER", help="Folder that holds .venv [that of this installation].")
@click.option("--output", metavar="FILE", type=click.Path(dir_okay=False), help="File to write [standard output].")
@backend_options
def config(*, name: str, shims: Sequence[str], root: str | None, output: str | None, **options: str | None) -> None:
    """Print a file for a service or a proxy, or check your own.

    NAME is one of those below. Folders are those of this installation, the rest follows the settings.
    """
    if name == CHECK:
        file = read_config(**options).file
        click.echo(explain(file, _entries(options) if file.models else None))
        return
    if shims and name not in CLUSTERS:
        raise CommandError(f"{name} is not for several shims. Leave out --shim, or choose {' or '.join(CLUSTERS)}.")
    settings = read_config(**options)
    if not settings.port:
        raise CommandError("SHIM_PORT is 0: each start has another port. Choose one, such as 11434.", BAD_SETTINGS)
    try:
        addresses = [with_port(shim, settings.port) for shim in shims]
    except ValueError as exc:
        raise CommandError(f"--shim: {exc}") from exc
    text = render(name, settings, root, shims=addresses)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        save(text, Path(output))
    except OSError as exc:
        raise CommandError(f"{output} can't be written: {exc.strerror}. Choose another --output.") from exc


def _entries(options: dict[str, str | None]) -> list[Entry] | None:
    """Return all names of models; None if LM Studio does not answer soon."""
    try:
        with open_services(options, connect_timeout=QUICK_SECONDS, list_timeout=QUICK_SECONDS) as services:
            return services.registry.entries(services.backends.listing())
    except CommandError:
        return None  # the output says so
