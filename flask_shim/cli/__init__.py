"""The command line: ``flask-shim``, the same as ``python -m flask_shim``.

A new command is a module of this package with a click command in it, and a line in COMMANDS.
"""

from __future__ import annotations

import difflib
import gc
import io
import os
import sys
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from flask_shim import __version__
from flask_shim.cli.help_lists import WrappingGroup

COMMANDS = {
    "init": "flask_shim.cli.init_command:init",
    "serve": "flask_shim.cli.serve_command:serve",
    "demo": "flask_shim.cli.demo_command:demo",
    "models": "flask_shim.cli.list_commands:models",
    "ps": "flask_shim.cli.list_commands:ps",
    "show": "flask_shim.cli.list_commands:show",
    "load": "flask_shim.cli.load_commands:load",
    "unload": "flask_shim.cli.load_commands:unload",
    "preload": "flask_shim.cli.load_commands:preload",
    "run": "flask_shim.cli.run_command:run",
    "top": "flask_shim.cli.top_command:top",
    "requests": "flask_shim.cli.request_commands:requests",
    "cancel": "flask_shim.cli.request_commands:cancel",
    "pull": "flask_shim.cli.pull_command:pull",
    "ensure": "flask_shim.cli.pull_command:ensure",
    "rm": "flask_shim.cli.pull_command:rm",
    "doctor": "flask_shim.cli.doctor_command:doctor",
    "config": "flask_shim.cli.config_command:config_file",
    "reload": "flask_shim.cli.request_commands:reload",
    "explain": "flask_shim.cli.explain_command:explain",
    "service": "flask_shim.cli.service_command:service",
}
"""The object of each command; it is imported on use, so that no command loads the modules of another."""

INTERNAL = {"service-host": "flask_shim.cli.service_host:host"}
"""Commands for other programs, which the help does not list."""

DEFAULT = "serve"


class Commands(WrappingGroup):
    """The commands of the table; ``serve`` if none is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's, too
        """Import and return a command."""
        place = COMMANDS.get(cmd_name) or INTERNAL.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        gc.disable()  # imports make many objects, but no garbage; collections would be a tenth of the start
        command: click.Command = getattr(import_module(module), name)
        gc.enable()
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert the default command before its options, and where there are no arguments."""
        own = {option for parameter in self.get_params(ctx) for option in parameter.opts}
        is_option_of_default = bool(args) and args[0].startswith("-") and args[0] not in own
        if is_option_of_default or (not args and not ctx.resilient_parsing):  # a shell completes commands after nothing
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the named command; for an unknown name, fail with a similar one."""
        name = args[0]
        if name not in {**COMMANDS, **INTERNAL} and not ctx.resilient_parsing:
            similar = difflib.get_close_matches(name, COMMANDS, n=1)
            ctx.fail(f"No such command {name!r}.{f' Did you mean {similar[0]!r}?' if similar else ''}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete commands, and the options of the default command."""
        items = super().shell_complete(ctx, incomplete)
        default = self.get_command(ctx, DEFAULT)
        if default is None or not incomplete.startswith("-"):
            return items
        known = {item.value for item in items}
        options = default.shell_complete(click.Context(default, info_name=DEFAULT), incomplete)
        return items + [option for option in options if option.value not in known]


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Without a command: serve. All settings: docs/CONFIGURATION.md, or config/shim.env.example.",
)
@click.version_option(__version__, prog_name="flask-shim", message="%(prog)s %(version)s")
def cli() -> None:
    """Serve the models of LM Studio to Ollama's clients."""


def main() -> None:
    """Run the command line and end the process."""
    _open_standard_descriptors()
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        # A redirected stream on Windows has a legacy code page, which has neither all characters nor all bytes.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    cli(prog_name="flask-shim")


def _open_standard_descriptors() -> None:
    """Open the null device for closed ones; a socket with such a number would be lost in a child process."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
