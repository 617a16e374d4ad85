"""``flask-shim service``: the shim as a service of this machine, or of one user."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from flask_shim.cli.help_lists import WrappingGroup
from flask_shim.cli.setting_options import BAD_SETTINGS, CommandError, read_config
from flask_shim.config import Config
from flask_shim.config.parsers import is_file
from flask_shim.config.sources import decode
from flask_shim.deploy.service.manager import ServiceManager, choose_manager
from flask_shim.deploy.service.steps import State, Step, StepFailed, run_program

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

NEW_SETTINGS = "# Settings of the service: one NAME=value per line, as in config/shim.env.example.\n"

user_option = click.option("--user", is_flag=True, help="A service of yours, not of the machine (Linux).")


def _changing(command: Decorated) -> Decorated:
    option = click.option("--dry-run", is_flag=True, help="Print what would be done.")
    return user_option(option(command))


@click.group(cls=WrappingGroup)
def service() -> None:
    """Run the shim as a service.

    The service is a systemd unit, a launchd agent or a Windows service. Settings come from the file that install
    names; stop lets running answers end.
    """


@service.command()
@click.option("--env-file", metavar="FILE", help="Settings for the service [.env in this folder].")
@_changing
def install(*, env_file: str | None, user: bool, dry_run: bool) -> None:
    """Install the service for the start of the machine, or for your login."""
    named = Path(env_file).absolute() if env_file else Path.cwd() / ".env"
    manager = choose_manager(user=user, folder=named.parent)
    if not manager.copies_settings and named.name != ".env":
        raise CommandError("A service of yours reads its settings from a file called .env: rename it.", BAD_SETTINGS)
    _refuse_obstacle(manager, dry_run=dry_run)
    if manager.state(run_program) is not State.NOT_INSTALLED:
        raise CommandError("The service is already installed. To install it again: flask-shim service remove")
    text = _settings_text(manager, named, is_named=bool(env_file))
    config = read_config(env_file=str(manager.settings) if text is None and is_file(manager.settings) else env_file)
    unused = _unused_file(manager, config)
    _perform(manager.install(config, text), dry_run=dry_run)
    if unused is not None:
        click.echo(f"It will not use {unused}: copy this file to a folder that the service can read, and name")
        click.echo(f"the copy as SHIM_CONFIG in {manager.settings}.")
    if not dry_run:
        click.echo(f"Installed. {manager.advice()}")
        click.echo(f"Start it now: flask-shim service start{' --user' if user else ''}")


def _unused_file(manager: ServiceManager, config: Config) -> Path | None:
    """Return the ``flask-shim.toml`` that is used here, but not in the folder of the service.

    Raise CommandError for a setting that names a file by a path from this folder.
    """
    if not manager.copies_settings:
        return None
    file = config.file.path
    named = file if "config_file" in config.configured else None
    for setting, path in (("SHIM_CONFIG", named), ("SHIM_CA_FILE", config.ca_file)):
        if path is not None and not path.is_absolute():
            text = f"{setting}={path}: The service runs in another folder. Write the whole path."
            raise CommandError(text, BAD_SETTINGS)
    return file.absolute() if file is not None and named is None else None


def _settings_text(manager: ServiceManager, named: Path, *, is_named: bool) -> str | None:
    """Return what to write into the settings file of the service; a file from before stays unless one is named."""
    if not manager.copies_settings or (is_file(manager.settings) and not is_named):
        return None
    if not is_file(named) and not is_named:
        return NEW_SETTINGS
    try:
        return "\n".join([*decode(named.read_bytes()).splitlines(), ""])
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not UTF-8; save it with that encoding"
        raise CommandError(f"{named} can't be read: {reason}.", BAD_SETTINGS) from exc


@service.command()
@_changing
def start(*, user: bool, dry_run: bool) -> None:
    """Start the service."""
    manager, state = _require_installed(user=user, dry_run=dry_run)
    if state is State.RUNNING:
        click.echo("The service is already running.")
        return
    _perform(manager.start(), dry_run=dry_run)


@service.command()
@_changing
def stop(*, user: bool, dry_run: bool) -> None:
    """Stop the service; running answers may end."""
    manager, state = _require_installed(user=user, dry_run=dry_run)
    if state is State.STOPPED:
        click.echo("The service is not running.")
        return
    _perform(manager.stop(), dry_run=dry_run)


@service.command()
@_changing
def remove(*, user: bool, dry_run: bool) -> None:
    """Stop and remove the service; its settings and log stay."""
    manager, state = _require_installed(user=user, dry_run=dry_run)
    _perform(manager.remove(state), dry_run=dry_run)
    if not dry_run:
        click.echo(f"Removed. Its settings stay in {manager.settings}.")


@service.command()
@user_option
def status(*, user: bool) -> None:
    """Say whether the service is installed and running, and where its log is.

    Ends with code 0 if it runs, 3 if it is stopped, 4 if it is not installed.
    """
    manager = choose_manager(user=user, folder=Path.cwd())
    state = manager.state(run_program)
    click.echo(f"flask-shim is {state} ({manager.title})")
    if state is not State.NOT_INSTALLED:
        click.echo(f"  settings  {manager.settings}")
        click.echo(f"  log       {manager.log}")
    raise click.exceptions.Exit(state)


def _require_installed(*, user: bool, dry_run: bool) -> tuple[ServiceManager, State]:
    manager = choose_manager(user=user, folder=Path.cwd())
    _refuse_obstacle(manager, dry_run=dry_run)
    state = manager.state(run_program)
    if state is State.NOT_INSTALLED:
        raise CommandError(
            "The service is not installed. To install it: flask-shim service install", State.NOT_INSTALLED
        )
    return manager, state


def _refuse_obstacle(manager: ServiceManager, *, dry_run: bool) -> None:
    if not dry_run and (obstacle := manager.obstacle()):
        raise CommandError(obstacle)


def _perform(steps: Sequence[Step], *, dry_run: bool) -> None:
    for step in steps:
        if dry_run:
            click.echo(step.text)
            continue
        try:
            step.perform(run_program)
        except StepFailed as exc:
            raise CommandError(str(exc)) from exc
