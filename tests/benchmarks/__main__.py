"""Command line of the benchmark: starts everything on loopback, measures in turns, reports, ends everything."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tests.benchmarks import report
from tests.benchmarks.chart import to_svg
from tests.benchmarks.goals import Judged, judge
from tests.benchmarks.rounds import Row, measure_all
from tests.benchmarks.scenarios import SCENARIOS, Scenario
from tests.benchmarks.targets import NAMES, installed, started
from tests.benchmarks.usage import WITHOUT

QUICK_FACTOR = 0.5

_LEAST_COLUMNS = 110
_FILE = click.Path(path_type=Path, dir_okay=False, writable=True)


@click.command()
@click.option("--quick", is_flag=True, help="Half of the work, one round.")
@click.option("--only", multiple=True, help="Measure this scenario; may be given repeatedly.")
@click.option("--target", "names", multiple=True, type=click.Choice(NAMES), help="Leave the other targets out.")
@click.option("--repeats", type=click.IntRange(1, 50), default=3, show_default=True, help="Rounds that count.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting for ours, as SHIM_....")
@click.option("--json", "json_file", type=_FILE, help="Write every measurement there.")
@click.option("--svg", "svg_file", type=_FILE, help="Draw the rates there.")
@click.option("--markdown", is_flag=True, help="Print Markdown instead of tables.")
def main(
    quick: bool,
    only: tuple[str, ...],
    names: tuple[str, ...],
    repeats: int,
    settings: tuple[str, ...],
    json_file: Path | None,
    svg_file: Path | None,
    markdown: bool,
) -> None:
    """Measure what the shim costs, against the backend itself, nginx and a naive shim."""
    signal.signal(signal.SIGTERM, _end)
    scenarios = _chosen(only, QUICK_FACTOR if quick else 1.0)
    ours = dict(setting.split("=", 1) for setting in settings)
    rows = _measured(scenarios, names or NAMES, ours, 1 if quick else repeats)
    judged = judge(rows)
    if json_file:
        json_file.write_text(json.dumps(report.to_data(rows, judged), indent=1), encoding="utf-8")
    if svg_file:
        svg_file.write_text(to_svg(rows), encoding="utf-8")
    if markdown:
        click.echo(report.to_markdown(rows, judged))
    else:
        _show(rows, judged)
    if any(row.faults for row in rows if row.target == "ours"):
        sys.exit(1)


def _end(*_: Any) -> None:
    sys.exit(143)  # an exception, so that every child is ended on the way out


def _chosen(only: tuple[str, ...], factor: float) -> list[Scenario]:
    chosen = [one for one in SCENARIOS if not only or one.name in only]
    if len(chosen) < len(set(only)):
        raise click.BadParameter(f"the scenarios are {', '.join(one.name for one in SCENARIOS)}", param_hint="--only")
    return [one.shortened(factor) for one in chosen] if factor != 1.0 else chosen


def _measured(scenarios: list[Scenario], names: tuple[str, ...], ours: dict[str, str], repeats: int) -> list[Row]:
    console = Console(stderr=True)
    most = max(one.streams for one in scenarios)
    rows: list[Row] = []
    with (
        tempfile.TemporaryDirectory(prefix="shim-benchmark-", ignore_cleanup_errors=True) as folder,
        console.status("starting") as status,
        started(Path(folder), installed(names), ours, most) as targets,
    ):
        for scenario in scenarios:
            rows += measure_all(targets, scenario, repeats, Path(folder), status.update)
            console.print(f"measured: {scenario.title}", style="dim")
    return rows


def _show(rows: list[Row], judged: list[Judged]) -> None:
    console = Console()
    console.width = max(console.width, _LEAST_COLUMNS)  # wrapped numbers cannot be read
    for title, table in report.sections(rows):
        console.print(report.to_rich(title, table))
    console.print(report.NOTES, WITHOUT, style="dim")
    for one in judged:
        mark = "[green]kept  [/]" if one.is_kept else "[red]missed[/]"
        console.print(f"{mark} {one.goal.text} {one.goal.limit:g}: {one.value:.2f}")
    console.print(report.machine_line(), style="dim")


if __name__ == "__main__":
    main()
