"""How values look on a terminal and in a pipe."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import click
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from flask_shim.cli.cli_context import console

Row = dict[str, Any]
Cells = Callable[[Row], dict[str, str]]

UNKNOWN = "-"

_NUMBERS = ("SIZE", "CONTEXT", "SECONDS LEFT")
_WRAPPED = "CAN"
"""The column whose words go over several lines where the terminal is narrow; the others stay whole."""

_DISPENSABLE = ("PARAMETERS", "KIND", "CAN", "QUANT", "SIZE")
"""Columns that are left out where the terminal is too narrow even so; "show" tells everything."""

_GAP = 2


def print_rows(rows: Sequence[Row], cells: Cells, *, as_json: bool) -> None:
    """Print a list: JSON, a table for a terminal, else lines with tabs between the columns."""
    out = console()
    if as_json:
        print_json(rows)
    elif not out.is_terminal:
        for row in rows:
            click.echo("\t".join(cells(row).values()))
    elif rows:
        out.print(_table([cells(row) for row in rows], out.width))
    else:
        out.print("none")


def print_facts(facts: Mapping[str, str]) -> None:
    """Print what is known of one thing, a line for each fact; into a pipe with a tab behind its name."""
    out = console()
    if not out.is_terminal:
        for name, fact in facts.items():
            click.echo(f"{name}\t{fact}")
        return
    grid = Table(box=None, pad_edge=False, show_header=False)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, fact in facts.items():
        grid.add_row(Text(name, style="bold"), Text(fact))
    out.print(grid)


def print_json(value: Any) -> None:
    """Print JSON, in ASCII: it can be read wherever it lands."""
    click.echo(json.dumps(value, indent=2))


def text_of(value: object) -> str:
    """Return a value as text, a dash for what is not known."""
    return UNKNOWN if value is None or value == "" else str(value)


def size_text(size: int | None) -> str:
    """Return a size with its unit."""
    if size is None:
        return UNKNOWN
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _table(rows: Sequence[dict[str, str]], width: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    headings = _fitting(rows, width)
    for heading in headings:
        justify: Literal["left", "right"] = "right" if heading in _NUMBERS else "left"
        table.add_column(heading, overflow="fold", no_wrap=heading != _WRAPPED, justify=justify)
    for row in rows:
        table.add_row(*(Text(row[heading]) for heading in headings))
    return table


def _fitting(rows: Sequence[dict[str, str]], width: int) -> list[str]:
    """Return the headings of the columns for which there is room."""
    widths = {
        heading: max(_width(heading, heading), *(_width(heading, row[heading]) for row in rows)) for heading in rows[0]
    }
    for heading in _DISPENSABLE:
        if sum(widths.values()) + _GAP * (len(widths) - 1) > width:
            widths.pop(heading, None)
    return list(widths)


def _width(heading: str, text: str) -> int:
    return max(map(cell_len, text.split()), default=0) if heading == _WRAPPED else cell_len(text)
