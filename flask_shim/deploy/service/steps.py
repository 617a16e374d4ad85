"""The states of a service, and what an action on it consists of: programs to run and files to write."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import NamedTuple


class State(IntEnum):
    """The value is the exit code of ``flask-shim service status``, as of ``systemctl status``."""

    RUNNING = 0
    STOPPED = 3
    NOT_INSTALLED = 4

    def __str__(self) -> str:
        """Return it in words."""
        return self.name.lower().replace("_", " ")


class Result(NamedTuple):
    """How a program ended, and what it wrote to both streams."""

    code: int
    output: str


Runner = Callable[[Sequence[str]], Result]
"""Runs a program; tests give one that records the calls."""


class StepFailed(Exception):
    """A step did not work; ``str()`` says which and why."""


class Step(NamedTuple):
    """One thing to do. ``text`` describes it for ``--dry-run``; ``perform`` does it, or raises StepFailed."""

    text: str
    perform: Callable[[Runner], None]


def run_command(*words: str, may_fail: bool = False) -> Step:
    """Return the step that runs a program, which must end with 0 unless it ``may_fail``."""
    text = subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)

    def perform(run: Runner) -> None:
        result = run(words)
        if result.code and not may_fail:
            output = " ".join(result.output.split())
            raise StepFailed(f"{text} ended with {result.code}{f': {output}' if output else '.'}")

    return Step(text, perform)


def wait_until(what: str, is_done: Callable[[Runner], bool], seconds: float) -> Step:
    """Return the step that waits for a condition, which ``what`` names."""

    def perform(run: Runner) -> None:
        deadline = time.monotonic() + seconds
        while not is_done(run):
            if time.monotonic() > deadline:
                raise StepFailed(f"wait until {what}: timed out after {seconds:g} seconds.")
            time.sleep(0.5)

    return Step(f"wait until {what}", perform)


def make_folder(path: Path) -> Step:
    """Return the step that creates a folder and its parents unless they exist."""
    make = partial(path.mkdir, parents=True, exist_ok=True)
    return _change_files(f"create the folder {path}", f"{path} can't be created", make)


def write_file(path: Path, text: str, mode: int = 0o644) -> Step:
    """Return the step that writes a file with these permissions from the first byte on.

    Nothing of an existing file is kept. The text is not shown: it may hold a key.
    """

    def write() -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # an existing file would keep its permissions
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(number, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)

    return _change_files(f"write {path}", f"{path} can't be written", write)


def remove_file(path: Path) -> Step:
    """Return the step that removes a file unless it is gone."""
    return _change_files(f"remove {path}", f"{path} can't be removed", partial(path.unlink, missing_ok=True))


def _change_files(text: str, problem: str, change: Callable[[], None]) -> Step:
    def perform(_run: Runner) -> None:
        try:
            change()
        except OSError as exc:
            raise StepFailed(f"{problem}: {exc.strerror or exc}.") from exc

    return Step(text, perform)


def run_program(words: Sequence[str]) -> Result:
    """Run a program and return how it ended; one that does not exist ends with 127, as in a shell."""
    # Windows' own programs write in the code page of consoles.
    encoding = "oem" if sys.platform == "win32" else "utf-8"
    try:
        done = subprocess.run(  # noqa: S603 - the words are ours
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding=encoding,
            errors="replace",
            check=False,
        )
    except OSError as exc:
        return Result(127, exc.strerror or str(exc))
    return Result(done.returncode, done.stdout)
