"""Help texts whose lists are wrapped, where click would cut or overflow them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click


class ListingCommand(click.Command):
    """A command whose help explains the values of an argument or option in a list."""

    def __init__(self, *args: Any, heading: str, items: Mapping[str, str], **options: Any) -> None:
        super().__init__(*args, **options)
        self._heading, self._items = heading, items

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the list, wrapped to the width of the terminal."""
        with formatter.section(self._heading):
            formatter.write_dl(list(self._items.items()))


class WrappingGroup(click.Group):
    """A group whose help has the whole first sentence of each command."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, command.get_short_help_str(sys.maxsize)) for name, command in commands.items() if command]
            )
