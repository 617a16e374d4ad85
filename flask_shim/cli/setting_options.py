"""Options that stand for settings, and errors as plain text instead of tracebacks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit

import click

from flask_shim.config import Config, ConfigError
from flask_shim.errors import ShimError

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

BAD_SETTINGS = 2
FAILED = 1

_URL = re.compile(r"https?://[^/\s?#]+(/[^\s?#]*)?")
_API_PATH = re.compile(r"/(v1|api)?/*\Z")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """Remove what models and clients could control a terminal with: all control characters but tabs and line ends."""
    return _CONTROLS.sub("", text)


class CommandError(click.ClickException):
    """End the command with a text for the user, without click's prefix, and an exit code."""

    def __init__(self, text: str, exit_code: int = FAILED) -> None:
        super().__init__(text)
        self.exit_code = exit_code  # type: ignore[misc]  # click declares a class variable and reads it from here

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the text to standard error."""
        click.echo(plain(self.message), file=file, err=True)


OPTIONS: dict[str, str] = {
    "host": "SHIM_HOST",
    "port": "SHIM_PORT",
    "lmstudio_url": "SHIM_LMSTUDIO_BASE",
    "debug": "SHIM_DEBUG",
    "threads": "SHIM_THREADS",
    "workers": "SHIM_WORKERS",
}
"""The setting of each option."""


_env_file_option = click.option("--env-file", metavar="FILE", help="File with settings, one NAME=value per line.")


def backend_options(command: Decorated) -> Decorated:
    """Add the options that say where LM Studio is."""
    url = click.option("--lmstudio-url", metavar="URL", help="Where LM Studio answers [SHIM_LMSTUDIO_BASE].")
    return url(_env_file_option(command))


def shim_options(command: Decorated) -> Decorated:
    """Add the options that say where the shim is."""
    where = "Where the shim answers [this machine, SHIM_PORT]."
    return click.option("--url", callback=shim_url, metavar="URL", help=where)(_env_file_option(command))


def shim_url(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str:
    """Parse an address; drop the path that clients append."""
    if not text:
        return ""
    text = text if "://" in text else f"http://{text}"
    try:
        is_url = _URL.fullmatch(text) is not None and urlsplit(text).port != 0
    except ValueError:  # an IPv6 address that is none, or a port that is none
        is_url = False
    if not is_url:
        raise click.BadParameter("not an http or https address such as http://localhost:11434")
    return _API_PATH.sub("", text)


def json_option(command: Decorated) -> Decorated:
    """Add the option ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def read_config(*, env_file: str | None = None, **options: str | bool | None) -> Config:
    """Read the settings; an option wins over its variable. Raise CommandError with one line per mistake."""
    overrides = {
        OPTIONS[name]: "1" if value is True else str(value)
        for name, value in options.items()
        if value not in (None, False)
    }
    with errors_as_text():
        return Config.from_env(env_file=env_file, overrides=overrides)


@contextmanager
def errors_as_text() -> Iterator[None]:
    """Turn the shim's own exceptions into CommandError: exit code 2 for bad settings, else 1."""
    try:
        yield
    except ConfigError as exc:
        raise CommandError(str(exc), BAD_SETTINGS) from exc
    except ShimError as exc:
        raise CommandError(exc.text) from exc
