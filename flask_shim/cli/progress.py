"""Show the progress of a download: a bar on a terminal, else a line every few seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import click
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from flask_shim.cli.cli_context import console
from flask_shim.cli.tables import size_text

LINE_SECONDS = 5.0


class Display(Protocol):
    """Shows the progress of one download."""

    def show(self, done: int | None, total: int | None) -> None:
        """Show the downloaded and the total bytes; None is unknown."""


class Bar:
    """A bar with bytes, speed and time left; it appears with the first progress."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._task = progress.add_task(name, total=None)

    def show(self, done: int | None, total: int | None) -> None:
        """Move the bar; without a total it only pulses."""
        self._progress.start()
        self._progress.update(self._task, completed=done or 0, total=total)


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
            parts.append(f"{_clock((total - done) / speed)} left")
    return "  ".join(parts)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@contextmanager
def showing(name: str) -> Iterator[Display]:
    """Yield the display for a download."""
    out = console()
    if not out.is_terminal:
        yield Lines(name)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        DownloadColumn(),
        Speed(),
        TimeRemainingColumn(compact=True),
    )
    progress = Progress(*columns, console=out, expand=True)
    try:
        yield Bar(progress, name)
    finally:
        progress.stop()
