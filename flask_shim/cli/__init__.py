"""The command line: ``flask-shim``, the same as ``python -m flask_shim``.

A new command is a module of this package with a click command in it, and a line in COMMANDS.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from flask_shim import __version__

COMMANDS = {
    "serve": "flask_shim.cli.serve_command:serve",
    "demo": "flask_shim.cli.demo_command:demo",
    "models": "flask_shim.cli.list_commands:models",
    "ps": "flask_shim.cli.list_commands:ps",
    "show": "flask_shim.cli.list_commands:show",
    "load": "flask_shim.cli.load_commands:load",
    "unload": "flask_shim.cli.load_commands:unload",
    "preload": "flask_shim.cli.load_commands:preload",
    "pull": "flask_shim.cli.pull_command:pull",
    "ensure": "flask_shim.cli.pull_command:ensure",
    "rm": "flask_shim.cli.alias_commands:rm",
    "doctor": "flask_shim.cli.doctor_command:doctor",
    "config": "flask_shim.cli.config_command:config_file",
    "service": "flask_shim.cli.service_command:service",
}
"""Where each command is; it is imported when it is asked for, so that none pays for what another one needs."""

INTERNAL = {"service-host": "flask_shim.cli.service_host:host"}
"""Commands that are not listed, because only other programs call them."""

DEFAULT = "serve"


class Commands(click.Group):
    """The commands of the table; ``serve`` when none is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's, too
        """Import and return the command of that name, None if it does not exist."""
        place = COMMANDS.get(cmd_name) or INTERNAL.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command in front of what begins with an option of its own, and of nothing."""
        own = {option for parameter in self.get_params(ctx) for option in parameter.opts}
        if not args or (args[0].startswith("-") and args[0] not in own):
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Without a command: serve. All settings: docs/CONFIGURATION.md, or config/shim.env.example.",
)
@click.version_option(__version__, prog_name="flask-shim", message="%(prog)s %(version)s")
def cli() -> None:
    """Let Ollama's clients use the models of LM Studio."""


def main() -> None:
    """Run the command line; ends the process."""
    _fill_standard_descriptors()
    _never_fail_to_print()
    cli(prog_name="flask-shim")


def _fill_standard_descriptors() -> None:
    # Where one was closed, the first socket would get its number, and a process we start would have it replaced.
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free


def _never_fail_to_print() -> None:
    # A redirected stream on Windows has an old code page: a model's name must not end the program.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
