"""Print values on a terminal, in a pipe and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

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

_SHORTENED = ("CLIENT", "MODEL", "PHASE", "OUTCOME", "ERROR")
_SHORTEST = 10
"""The columns whose texts are cut on a narrow terminal, and how much of them is left."""

_OF_MODELS = ("PARAMETERS", "KIND", "CAN", "QUANT", "SIZE")
_OF_REQUESTS = ("FIRST TOKEN", "PROMPT/S", "PROMPT", "OUTPUT", "TOKENS/S", "ID")
_DISPENSABLE = (*_OF_MODELS, *_OF_REQUESTS)
"""Columns that a narrower terminal leaves out, in this order; ``show`` and ``--json`` print all."""

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
        out.print(fitted_table(lines, out.width))
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
        grid.add_row(terminal_text(name, "bold"), terminal_text(fact))
    out.print(grid)


def print_json(value: Any) -> None:
    """Print JSON in ASCII, which every code page can show."""
    click.echo(json.dumps(value, indent=2))


def terminal_text(text: str, style: str = "") -> Text:
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


def fitted_table(lines: Sequence[Mapping[str, str]], width: int) -> Table:
    """Return the lines, at least one, as a table. Where it does not fit, texts are shortened, but never numbers."""
    widths = {
        heading: max(_least_width(heading, text) for text in (heading, *(line[heading] for line in lines)))
        for heading in lines[0]
    }
    for heading in _DISPENSABLE:
        if _total(widths) > width:
            widths.pop(heading, None)
    flexible = (_WRAPPED, *_SHORTENED) if _total(widths) <= width else widths.keys() - _NUMBERS
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    for heading in widths:
        table.add_column(
            heading,
            justify="right" if heading in _NUMBERS else "left",
            overflow="ellipsis" if heading in _SHORTENED else "fold",
            no_wrap=heading not in flexible,
        )
    for line in lines:
        # The column itself may wrap: rich takes the width from those that may.
        table.add_row(*(Text(line[heading], no_wrap=heading in _SHORTENED or None) for heading in widths))
    return table


def _least_width(heading: str, text: str) -> int:
    if heading == _WRAPPED:
        return max(map(cell_len, text.split()), default=0)
    return min(cell_len(text), _SHORTEST) if heading in _SHORTENED else cell_len(text)


def _total(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + _GAP * (len(widths) - 1)
