"""``flask-shim init``: four questions whose answers become the settings file."""

from __future__ import annotations

import os
import re
import secrets
import sys
from pathlib import Path

import click

from flask_shim.backend import client_options
from flask_shim.cli.banner import describe
from flask_shim.cli.setting_options import CommandError, errors_as_text
from flask_shim.config import Config
from flask_shim.config.addresses import is_loopback
from flask_shim.config.parsers import is_file
from flask_shim.deploy.service.steps import StepFailed, run_program, write_file
from flask_shim.lmstudio import LMStudio

FILE = ".env"
BACKEND = "http://localhost:1234"
HOSTS = {"machine": "localhost", "network": "*"}
NO_KEY = "none"

_PLAIN_KEY = re.compile(r"[\w.~+/=:@,-]+", re.ASCII)  # means the same to systemd, to shells and to the shim


@click.command(name="init")
@click.option("--backend", metavar="URL", help=f"Where LM Studio answers [{BACKEND}].")
@click.option("--host", metavar="HOSTS", help="Addresses to listen on; * = all [localhost].")
@click.option("--key", metavar="KEY", help="Key that clients must send; none = no key [a new one for a wider host].")
@click.option("--service/--no-service", default=None, help="Say how to install a service [no].")
@click.option("--yes", is_flag=True, help="Ask nothing: take the defaults for what is not given.")
def init(*, backend: str | None, host: str | None, key: str | None, service: bool | None, yes: bool) -> None:
    """Ask where LM Studio is and who may connect, and write .env in this folder."""
    path = Path.cwd() / FILE
    try:
        _confirm_new(path, yes=yes)
        texts = {"SHIM_LMSTUDIO_BASE": _backend(backend, yes=yes)}
        if not host:
            choice = click.Choice(list(HOSTS))
            host = HOSTS["machine" if yes else click.prompt("Who may connect?", type=choice, default="machine")]
        texts["SHIM_HOST"] = host
        texts |= _access(key, _parse(texts | {"SHIM_ALLOW_OPEN": "1"}), yes=yes)
        config = _parse(texts)
        if service is None:
            service = not yes and click.confirm("Run it as a service?", default=False)
    except click.Abort as exc:
        raise CommandError(
            "Nothing was written. Without a terminal use --yes, with --backend, --host and --key."
        ) from exc
    text = "".join(f"{name}={value}\n" for name, value in texts.items())
    try:
        step = write_file(path, f"# Settings of the shim; all of them: config/shim.env.example\n{text}", 0o600)
        step.perform(run_program)
    except StepFailed as exc:
        raise CommandError(str(exc)) from exc
    _say_next(path, config, service=service)


def _confirm_new(path: Path, *, yes: bool) -> None:
    """End the command unless the file is new or may be replaced."""
    if not is_file(path):
        return
    if yes:
        raise CommandError(f"{path} exists and is kept. Remove it first, or run flask-shim init without --yes.")
    click.confirm(f"{path} exists. Replace it?", abort=True)


def _backend(given: str | None, *, yes: bool) -> str:
    """Return LM Studio's address; say what answers at the given or default one, and at another answer."""
    _say_what_answers(given or BACKEND)
    if given or yes:
        return given or BACKEND
    chosen: str = click.prompt("Where is LM Studio?", default=BACKEND, value_proc=_url)
    if chosen != BACKEND:
        _say_what_answers(chosen)
    return chosen


def _say_what_answers(url: str) -> None:
    with LMStudio(client_options(_parse({"SHIM_LMSTUDIO_BASE": url}))) as backend:
        click.echo(f"  {describe(backend)}")


def _access(key: str | None, config: Config, *, yes: bool) -> dict[str, str]:
    """Return the settings for the key: a new one by default where other machines connect."""
    is_wide = not all(map(is_loopback, config.hosts))
    if key is None:
        key = secrets.token_urlsafe(24) if is_wide else NO_KEY
        if not yes:
            key = click.prompt("Key that clients must send (none = no key)", default=key, value_proc=_plain_key)
    if _plain_key(key) != NO_KEY:
        return {"SHIM_API_KEY": key}
    return {"SHIM_ALLOW_OPEN": "1"} if is_wide else {}


def _plain_key(text: str) -> str:
    if not _PLAIN_KEY.fullmatch(text):
        raise click.UsageError("A key consists of letters, digits and . ~ + / = : @ - _ only.")
    return text


def _url(text: str) -> str:
    """Check an answer; click asks again if it is no address."""
    try:
        _parse({"SHIM_LMSTUDIO_BASE": text})
    except CommandError as exc:
        raise click.UsageError(exc.message) from exc
    return text


def _parse(texts: dict[str, str]) -> Config:
    with errors_as_text():
        return Config.from_env({}, env_file="", overrides=texts)


def _say_next(path: Path, config: Config, *, service: bool) -> None:
    click.echo(f"Written: {path}")
    if config.api_keys:
        click.echo(f"Clients send the key as Authorization: Bearer {config.api_keys[0]}")
    is_user = sys.platform == "linux" and os.getuid() != 0
    install = f"flask-shim service install{' --user' if is_user else ''}"
    click.echo("Next:")
    click.echo(f"  {install if service else 'flask-shim serve'}")
    click.echo("  flask-shim doctor")
