"""``flask-shim requests``, ``cancel`` and ``reload``: what a running shim does, and changing it."""

from __future__ import annotations

from collections.abc import Callable

import click

from flask_shim.cli.cli_context import console
from flask_shim.cli.running_shim import open_shim
from flask_shim.cli.setting_options import CommandError, json_option, shim_options
from flask_shim.cli.tables import Row, print_rows, text_of
from flask_shim.cli.top_view import CELLS, rate_text, seconds_text, time_of_day
from flask_shim.config.shim_file import ShimFile
from flask_shim.config.toml_tables import kinds_of

_ENDED_CELLS: dict[str, Callable[[Row], str]] = {
    "ENDED": lambda row: time_of_day(row["ended_at"]) if console().is_terminal else row["ended_at"],
    **{name: CELLS[name] for name in ("ID", "CLIENT", "MODEL")},
    "OUTCOME": lambda row: row["outcome"],
    **{name: CELLS[name] for name in ("PROMPT", "OUTPUT")},
    "PROMPT/S": lambda row: rate_text(row["prefill_tokens_per_second"]),
    "TOKENS/S": lambda row: rate_text(row["decode_tokens_per_second"]),
    "TOOK": lambda row: seconds_text(row["age_seconds"]),
    "ERROR": lambda row: text_of(row["error"]),
}


@click.command()
@click.option("--ended", is_flag=True, help="List the last hundred that have ended.")
@shim_options
@json_option
def requests(*, ended: bool, url: str, as_json: bool, **options: str | None) -> None:
    """List the requests in flight in a running shim.

    In a pipe: one line per request, with tabs between the columns and without heading.
    """
    with open_shim(url, options) as shim:
        rows: list[Row] = shim.get("/shim/requests")["ended" if ended else "running"]
    cells = _ENDED_CELLS if ended else CELLS
    print_rows(rows, lambda row: {name: cell(row) for name, cell in cells.items()}, as_json=as_json)


def _complete_ids(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the ids of the requests in flight."""
    try:
        with open_shim(context.params.get("url") or "", {"env_file": context.params.get("env_file")}) as shim:
            ids = [row["id"] for row in shim.get("/shim/requests")["running"]]
    except CommandError:
        return []  # a shell has no place for an error
    return [id_ for id_ in ids if id_.startswith(incomplete)]


@click.command()
@click.argument("request_id", metavar="ID", shell_complete=_complete_ids)
@shim_options
def cancel(*, request_id: str, url: str, **options: str | None) -> None:
    """Stop a request in flight.

    "requests" lists the ids. The client gets an error, and LM Studio stops generating.
    """
    with open_shim(url, options) as shim:
        shim.cancel(request_id)
    click.echo(f"Stopped {request_id}.")


@click.command()
@shim_options
def reload(*, url: str, **options: str | None) -> None:
    """Make a running shim read flask-shim.toml again.

    New requests get the new backends, profiles, rules and keys; running ones end as they began. If the file has a
    mistake, nothing changes.
    """
    with open_shim(url, options) as shim:
        found = shim.reload()
    if silent := found.get("silent_workers"):
        click.echo(f"Workers that did not answer in time, and may use the old file: {silent}. Reload again.", err=True)
    click.echo(f"In use: {found['file']} ({', '.join(f'{name}: {found[name]}' for name in kinds_of(ShimFile))}).")
