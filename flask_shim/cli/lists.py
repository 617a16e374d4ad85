"""``flask-shim models`` and ``flask-shim ps``: what LM Studio has, and what it has loaded."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from flask_shim.cli.settings import backend_options, plain_failures, read_config
from flask_shim.directory import Directory
from flask_shim.errors import NotSupported
from flask_shim.lmstudio import LMStudio
from flask_shim.lmstudio.link import link_of
from flask_shim.translate.capabilities import capabilities
from flask_shim.translate.listing import Entry, context_length

Row = dict[str, Any]
Cells = Callable[[Row], dict[str, str]]

UNKNOWN = "-"


@click.command()
@backend_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def models(*, as_json: bool, **options: str | None) -> None:
    """List LM Studio's models, by the names that clients use.

    Into a pipe: one line for each model, columns separated by tabs, no heading.
    """
    _print([_row(entry) for entry in _entries(options)], as_json, _model_cells)


@click.command()
@backend_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def ps(*, as_json: bool, **options: str | None) -> None:
    """List the models that are loaded.

    Into a pipe: one line for each loaded copy, columns separated by tabs, no heading.
    """
    entries = _entries(options, must_tell_state=True)
    _print([row for entry in entries for row in _instance_rows(entry)], as_json, _instance_cells)


def _entries(options: dict[str, str | None], *, must_tell_state: bool = False) -> list[Entry]:
    with plain_failures(), closing(LMStudio(link_of(read_config(**options)))) as backend:
        listing = backend.listing()
        if must_tell_state and not listing.generation.tells_state:
            raise NotSupported(
                "this backend does not tell which models are loaded: that needs LM Studio 0.3.6 or later"
            )
        return Directory(backend, 0).entries(listing)


def _row(entry: Entry) -> Row:
    """Return what is known of a model; sizes are bytes, lengths tokens, None is what LM Studio does not tell."""
    model = entry.model
    return {
        "name": entry.name,
        "key": model.key,
        "kind": model.kind.value,
        "architecture": model.architecture,
        "parameters": model.parameters,
        "quantization": model.quantization,
        "format": model.format,
        "size_bytes": model.size_bytes,
        "context_length": context_length(model),
        "capabilities": capabilities(model),
        "is_loaded": model.is_loaded,
    }


def _instance_rows(entry: Entry) -> list[Row]:
    """Return what is known of each loaded copy; the time left is in seconds."""
    return [
        {
            "name": entry.name,
            "key": entry.model.key,
            "instance": instance.id,
            "size_bytes": entry.model.size_bytes,
            "context_length": instance.context_length,
            "seconds_left": instance.ttl_seconds,
        }
        for instance in entry.model.instances
    ]


def _model_cells(row: Row) -> dict[str, str]:
    return {
        "NAME": row["name"],
        "KIND": row["kind"],
        "SIZE": _gigabytes(row["size_bytes"]),
        "PARAMETERS": _text(row["parameters"]),
        "QUANT": _text(row["quantization"]),
        "CONTEXT": _text(row["context_length"]),
        "LOADED": "yes" if row["is_loaded"] else "no",
        "CAN": ",".join(row["capabilities"]),
    }


def _instance_cells(row: Row) -> dict[str, str]:
    return {
        "NAME": row["name"],
        "INSTANCE": row["instance"],
        "SIZE": _gigabytes(row["size_bytes"]),
        "CONTEXT": _text(row["context_length"]),
        "SECONDS LEFT": UNKNOWN if row["seconds_left"] is None else f"{row['seconds_left']:.0f}",
    }


def _text(value: object) -> str:
    return UNKNOWN if value is None else str(value)


def _gigabytes(size: int | None) -> str:
    if size is None:
        return UNKNOWN
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _print(rows: Sequence[Row], as_json: bool, cells: Cells) -> None:
    console = Console()
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif not console.is_terminal:
        for row in rows:
            click.echo("\t".join(cells(row).values()))
    elif rows:
        console.print(_table([cells(row) for row in rows]))
    else:
        console.print("none")


def _table(rows: Sequence[dict[str, str]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in rows[0]:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*row.values())
    return table
