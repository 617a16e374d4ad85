"""What an action on a service consists of: programs to run and files to write, shown before or performed."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol


class Result(NamedTuple):
    """How a program ended, and what it wrote to both streams."""

    code: int
    output: str


Runner = Callable[[Sequence[str]], Result]
"""Runs a program; tests give one that records the calls."""


class StepFailed(Exception):
    """A step did not work; ``str()`` says which and why."""


class Step(Protocol):
    """One thing to do; ``str()`` describes it for ``--dry-run``."""

    def perform(self, run: Runner) -> None:
        """Do it, or raise StepFailed."""


@dataclass(frozen=True)
class Run:
    """Run a program that must end with 0, unless it may fail."""

    words: tuple[str, ...]
    may_fail: bool = False

    def perform(self, run: Runner) -> None:
        """Run it."""
        result = run(self.words)
        if result.code and not self.may_fail:
            output = " ".join(result.output.split())
            raise StepFailed(f"{self} ended with {result.code}{f': {output}' if output else '.'}")

    def __str__(self) -> str:
        """Return the command line in the form of this system."""
        return subprocess.list2cmdline(self.words) if sys.platform == "win32" else shlex.join(self.words)


@dataclass(frozen=True)
class WaitUntil:
    """Wait until a condition holds; ``what`` names it."""

    what: str
    is_done: Callable[[Runner], bool]
    seconds: float = 60

    def perform(self, run: Runner) -> None:
        """Ask twice a second."""
        deadline = time.monotonic() + self.seconds
        while not self.is_done(run):
            if time.monotonic() > deadline:
                raise StepFailed(f"{self}: timed out after {self.seconds:g} seconds.")
            time.sleep(0.5)

    def __str__(self) -> str:
        """Say what for."""
        return f"wait until {self.what}"


@dataclass(frozen=True)
class MakeFolder:
    """Create a folder unless it exists."""

    path: Path

    def perform(self, run: Runner) -> None:  # noqa: ARG002 - a step's signature
        """Create it and its parents."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise StepFailed(f"{self.path} can't be created: {exc.strerror or exc}.") from exc

    def __str__(self) -> str:
        """Name the folder."""
        return f"create the folder {self.path}"


@dataclass(frozen=True)
class WriteFile:
    """Write a file; nothing of an existing one is kept. The text is not shown: it may hold a key."""

    path: Path
    text: str
    mode: int = 0o644

    def perform(self, run: Runner) -> None:  # noqa: ARG002 - a step's signature
        """Write it with these permissions from the first byte on."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.unlink(missing_ok=True)  # an existing file would keep its permissions
            number = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, self.mode)
            with os.fdopen(number, "w", encoding="utf-8", newline="\n") as file:
                file.write(self.text)
        except OSError as exc:
            raise StepFailed(f"{self.path} can't be written: {exc.strerror or exc}.") from exc

    def __str__(self) -> str:
        """Name the file."""
        return f"write {self.path}"


@dataclass(frozen=True)
class RemoveFile:
    """Remove a file."""

    path: Path

    def perform(self, run: Runner) -> None:  # noqa: ARG002 - a step's signature
        """Remove it unless it is gone."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as exc:
            raise StepFailed(f"{self.path} can't be removed: {exc.strerror or exc}.") from exc

    def __str__(self) -> str:
        """Name the file."""
        return f"remove {self.path}"


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
