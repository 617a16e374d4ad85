"""Print values on a terminal, in a pipe and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import click
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from flask_shim.cli.cli_context import console
from flask_shim.cli.setting_options import plain

Row = dict[str, Any]
Cells = Callable[[Row], dict[str, str]]

UNKNOWN = "-"

_NUMBERS = ("SIZE", "CONTEXT", "SECONDS LEFT", "PROMPT", "OUTPUT", "PROMPT/S", "TOKENS/S", "FIRST TOKEN", "AGE", "TOOK")
_WRAPPED = "CAN"
"""The only column that is wrapped on a narrow terminal."""

_DISPENSABLE = ("PARAMETERS", "KIND", "CAN", "QUANT", "SIZE")
"""Columns that a narrower terminal leaves out, in this order; ``show`` prints all."""

_GAP = 2


def print_rows(rows: Sequence[Row], cells: Cells, *, as_json: bool) -> None:
    """Print a list as JSON, as a table on a terminal, else as lines with tabs between the columns."""
    out = console()
    if as_json:
        print_json(rows)
        return
    lines = [{heading: " ".join(plain(text).split()) for heading, text in cells(row).items()} for row in rows]
    if not out.is_terminal:
        for line in lines:
            click.echo("\t".join(line.values()))
    elif lines:
        headings = _fitting(lines, out.width)
        table = empty_table(headings)
        for line in lines:
            table.add_row(*(Text(line[heading]) for heading in headings))
        out.print(table)
    else:
        out.print("none")


def print_facts(facts: Mapping[str, str]) -> None:
    """Print one line per fact; in a pipe, a tab follows its name."""
    out = console()
    if not out.is_terminal:
        for name, fact in facts.items():
            click.echo(plain(f"{name}\t{fact}"))
        return
    grid = Table(box=None, pad_edge=False, show_header=False)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, fact in facts.items():
        grid.add_row(shown(name, "bold"), shown(fact))
    out.print(grid)


def print_json(value: Any) -> None:
    """Print JSON in ASCII, which every code page can show."""
    click.echo(json.dumps(value, indent=2))


def shown(text: str, style: str = "") -> Text:
    """Return a text for a terminal, without what could control it."""
    return Text(plain(text), style=style)


def text_of(value: object) -> str:
    """Return a value as text, a dash for an unknown one."""
    return UNKNOWN if value is None or value == "" else str(value)


def size_text(size: int | None) -> str:
    """Return bytes as MB or GB."""
    if size is None:
        return UNKNOWN
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def clock_text(seconds: float) -> str:
    """Return a duration as minutes and seconds, with hours if it has any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def empty_table(headings: Iterable[str], overflow: Literal["fold", "ellipsis"] = "fold") -> Table:
    """Return a table with these columns; numbers are aligned on the right."""
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    for heading in headings:
        justify: Literal["left", "right"] = "right" if heading in _NUMBERS else "left"
        table.add_column(heading, overflow=overflow, no_wrap=heading != _WRAPPED, justify=justify)
    return table


def _fitting(rows: Sequence[dict[str, str]], width: int) -> list[str]:
    """Return the headings of the columns that fit."""

    def width_of(heading: str, text: str) -> int:
        return max(map(cell_len, text.split()), default=0) if heading == _WRAPPED else cell_len(text)

    widths = {
        heading: max(width_of(heading, text) for text in (heading, *(row[heading] for row in rows)))
        for heading in rows[0]
    }
    for heading in _DISPENSABLE:
        if sum(widths.values()) + _GAP * (len(widths) - 1) > width:
            widths.pop(heading, None)
    return list(widths)
