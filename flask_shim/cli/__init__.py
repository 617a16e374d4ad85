"""The command line: ``flask-shim``, the same as ``python -m flask_shim``.

A new command is a function with its name in a module of this package, and a line in COMMANDS.
"""

from __future__ import annotations

import difflib
import gc
import io
import os
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from flask_shim import __version__
from flask_shim.cli.help_lists import WrappingGroup
from flask_shim.cli.interrupt import end_at_ctrl_c

COMMANDS = {
    "init": "init_command",
    "serve": "serve_command",
    "demo": "demo_command",
    "models": "list_commands",
    "ps": "list_commands",
    "show": "list_commands",
    "load": "load_commands",
    "unload": "load_commands",
    "preload": "load_commands",
    "run": "run_command",
    "top": "top_command",
    "requests": "request_commands",
    "cancel": "request_commands",
    "pull": "pull_command",
    "ensure": "pull_command",
    "rm": "pull_command",
    "doctor": "doctor_command",
    "config": "config_command",
    "reload": "request_commands",
    "explain": "explain_command",
    "service": "service_command",
}
"""The module of each command; it is imported on use, so that no command loads the modules of another."""

INTERNAL = {"service-host": "service_host"}
"""Commands for other programs, which the help does not list."""

_MODULES = {**COMMANDS, **INTERNAL}

DEFAULT = "serve"


class Commands(WrappingGroup):
    """The commands of the table; ``serve`` if none is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's, too
        """Import and return a command."""
        module = _MODULES.get(cmd_name)
        if module is None:
            return None
        gc.disable()  # imports make many objects, but no garbage; collections would be a tenth of the start
        imported = import_module(f"{__name__}.{module}")
        gc.enable()
        command: click.Command = getattr(imported, cmd_name.replace("-", "_"))
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
        if name not in _MODULES and not ctx.resilient_parsing:
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
    # Closed streams are None, and those of pythonw and of Windows services, where also their descriptors are not valid.
    # Standard error stays so, as the log need not write to it.
    sys.stdin = sys.stdin or Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - as long as the process
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        # A redirected stream on Windows has a legacy code page, which has neither all characters nor all bytes.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if sys.platform == "win32":
        end_at_ctrl_c()
    try:
        cli(prog_name="flask-shim")
    except OSError as exc:
        with suppress(OSError):  # standard error may be in the same full file
            click.echo(_describe(exc), err=True)
        sys.exit(1)


def _describe(exc: OSError) -> str:
    """Return what the system refused a command, such as space on the disk of its output."""
    try:
        Path.cwd()
    except OSError:
        return "The current folder does not exist any more. Change to another one."
    return str(exc)


def _open_standard_descriptors() -> None:
    """Open the null device for closed ones; a socket with such a number would be lost in a child process."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
