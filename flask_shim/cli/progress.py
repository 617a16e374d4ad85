"""Show the progress of a download: a bar on a terminal, else a line every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from flask_shim.cli.cli_context import console
from flask_shim.cli.tables import clock_text, size_text

LINE_SECONDS = 5.0


Show = Callable[[int | None, int | None], None]
"""Shows the downloaded and the total bytes of a download; None is unknown."""


class Speed(ProgressColumn):
    """The speed, once it is known."""

    def render(self, task: Task) -> Text:
        """Return the text of the column."""
        speed = task.finished_speed or task.speed
        return Text(f"{size_text(round(speed))}/s" if speed else "")


class Lines:
    """A line for the start, one every few seconds, and one for the end."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._began: tuple[float, int] | None = None
        self._written_at = 0.0
        self._last = ""

    def show(self, done: int | None, total: int | None) -> None:
        """Write a line if it is due and differs from the last one."""
        now = time.monotonic()
        if self._began is None and done is not None:  # a download that was already running does not begin at 0
            self._began = now, done
        is_end = bool(total) and done == total
        if is_end or not self._written_at or now - self._written_at >= LINE_SECONDS:
            self._written_at = now
            began_at, began_with = self._began or (now, 0)
            speed = ((done or 0) - began_with) / (now - began_at) if now > began_at else 0.0
            line = _line(self._name, done, total, speed)
            if line != self._last:
                self._last = line
                click.echo(line)


def _line(name: str, done: int | None, total: int | None, speed: float) -> str:
    parts = [name]
    if total:
        parts.append(f"{100 * (done or 0) // total:3d} %")
    if done is not None or total:
        parts.append(f"{size_text(done or 0)} of {size_text(total)}" if total else size_text(done))
    if speed > 0:
        parts.append(f"{size_text(round(speed))}/s")
        if total and done is not None and done < total:
            parts.append(f"{clock_text((total - done) / speed)} left")
    return "  ".join(parts)


@contextmanager
def show_progress(name: str) -> Iterator[Show]:
    """Yield what shows the progress of a download; a bar appears with the first progress."""
    out = console()
    if not out.is_terminal:
        yield Lines(name).show
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        DownloadColumn(),
        Speed(),
        TimeRemainingColumn(compact=True),
    )
    progress = Progress(*columns, console=out, expand=True)
    task = progress.add_task(name, total=None)

    def show(done: int | None, total: int | None) -> None:
        progress.start()
        progress.update(task, completed=done or 0, total=total)

    try:
        yield show
    finally:
        progress.stop()
