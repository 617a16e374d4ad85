"""Command line of the benchmark: starts everything on loopback, measures in turns, reports, ends everything."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tests.benchmarks import report
from tests.benchmarks.goals import judge
from tests.benchmarks.rounds import Row, measure_all
from tests.benchmarks.scenarios import SCENARIOS, Scenario
from tests.benchmarks.targets import NAMES, OURS, Targets, installed

QUICK_FACTOR = 0.5

_LEAST_COLUMNS = 150
_FILE = click.Path(path_type=Path, dir_okay=False, writable=True)


@click.command()
@click.option("--quick", is_flag=True, help="Half of the time, one round.")
@click.option("--only", multiple=True, help="Measure this scenario; may be given repeatedly.")
@click.option("--target", "names", multiple=True, type=click.Choice(NAMES), help="Leave the other targets out.")
@click.option("--repeats", type=click.IntRange(1, 50), default=3, show_default=True, help="Rounds that count.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting for ours, as SHIM_....")
@click.option("--json", "json_file", type=_FILE, help="Write every measurement there.")
@click.option("--markdown", is_flag=True, help="Print Markdown instead of tables.")
def main(
    quick: bool,
    only: tuple[str, ...],
    names: tuple[str, ...],
    repeats: int,
    settings: tuple[str, ...],
    json_file: Path | None,
    markdown: bool,
) -> None:
    """Measure what the shim costs, beside nginx and a naive shim."""
    signal.signal(signal.SIGTERM, _end)
    scenarios = _chosen(only, QUICK_FACTOR if quick else 1.0)
    ours = dict(setting.split("=", 1) for setting in settings)
    rows = _measured(scenarios, installed(names), ours, 1 if quick else repeats)
    judged = judge(rows)
    if json_file:
        json_file.write_text(json.dumps(report.to_data(rows, judged), indent=1), encoding="utf-8")
    console = Console()
    console.width = max(console.width, _LEAST_COLUMNS)  # wrapped numbers cannot be read
    for table in report.tables(rows, judged):
        if markdown:
            click.echo(f"{report.to_markdown(table)}\n")
        else:
            console.print(report.to_rich(table))
    click.echo(f"{report.NOTES}\n\n{report.machine_line()}")
    if any(row.faults for row in rows if row.target == OURS):
        sys.exit(1)


def _end(*_: Any) -> None:
    sys.exit(143)  # an exception, so that every child is ended on the way out


def _chosen(only: tuple[str, ...], factor: float) -> list[Scenario]:
    chosen = [one for one in SCENARIOS if not only or one.name in only]
    if len(chosen) < len(set(only)):
        raise click.BadParameter(f"the scenarios are {', '.join(one.name for one in SCENARIOS)}", param_hint="--only")
    return [one.shortened(factor) for one in chosen] if factor != 1.0 else chosen


def _measured(scenarios: list[Scenario], names: tuple[str, ...], ours: dict[str, str], repeats: int) -> list[Row]:
    temporary = tempfile.TemporaryDirectory(prefix="shim-benchmark-", ignore_cleanup_errors=True)
    with temporary as folder, ExitStack() as running:
        targets = Targets(Path(folder), running, ours)
        rows: list[Row] = []
        for scenario in scenarios:
            click.echo(f"measuring: {scenario.title}", err=True)
            rows += measure_all(targets, names, scenario, repeats)
    return rows


if __name__ == "__main__":
    main()
