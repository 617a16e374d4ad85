"""Help that ends with a list of names."""

from __future__ import annotations

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
