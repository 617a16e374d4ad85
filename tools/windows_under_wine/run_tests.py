#!/usr/bin/env python3
"""Run tests of this project on the Windows Python that setup.sh has made.

    run_tests.py FOLDER TESTS... [--jobs N] [--minutes N] [--record FILE]

Each of TESTS (folders or files with commas between them) gets its own pytest, up to ``--jobs`` of them at once. A test
that hangs is reported by name and ended; pytest goes on behind it. After ``--minutes`` everything is ended. The exit
code is 1 unless every test passed or was skipped. ``--record`` keeps the outcome of each test as a line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEST_SECONDS = 120
"""pytest-timeout ends pytest when one test takes longer."""

QUIET_SECONDS = 180
"""A pytest that has neither started nor ended a test for this time is killed."""

RANK = ("started", "passed", "skipped", "failed")


class Run:
    """Some folders and files: as many processes of pytest, one after the other, as it takes."""

    def __init__(self, box: Path, tests: str, deadline: float) -> None:
        """Prepare the run; ``deadline`` is of ``time.monotonic``."""
        self.box, self.tests, self.deadline = box, tests, deadline
        self.id = uuid.uuid4().hex[:8]
        # Every temporary path of the tests has a blank and an umlaut.
        self.folder = box / "runs" / f"Prüf stand {self.id}"
        self.record = self.folder / "record"
        self.output = ""

    @property
    def outcomes(self) -> dict[str, str]:
        """The outcome of each test; ``started`` for one that has not ended."""
        found: dict[str, str] = {}
        for line in self.lines():
            facts = json.loads(line)
            found[facts["test"]] = max(found.get(facts["test"], "started"), facts["outcome"], key=RANK.index)
        return found

    def lines(self) -> list[str]:
        """Return the lines of the record."""
        return self.record.read_text(encoding="utf-8").splitlines() if self.record.exists() else []

    def __call__(self) -> Run:
        """Run the tests to their end, or until the deadline."""
        self.folder.mkdir(parents=True)
        ended = False
        while not ended and time.monotonic() < self.deadline:
            before = len(self.outcomes)
            ended = self._run_pytest()
            if not ended and len(self.outcomes) == before:
                break
        if not ended:
            self.output += f"\n{self.tests} did not come to its end"
        return self

    def seconds(self, part: str) -> float:
        """Return how long the tests of a folder or file took."""
        facts = [json.loads(line) for line in self.lines()]
        return sum(each.get("seconds", 0) for each in facts if each["test"].startswith(part))

    def failures(self) -> list[str]:
        """Return what went wrong, by the names of the tests."""
        words = {"failed": "failed", "started": "hung"}
        found = [f"{words[outcome]}: {test}" for test, outcome in self.outcomes.items() if outcome in words]
        return found or ([] if "passed" in self.output.splitlines()[-1] else [f"no summary: {self.tests}"])

    def _run_pytest(self) -> bool:
        """Run pytest once; return whether it has come to its summary."""
        command = [self.box / "bin" / "winpython", "-m", "pytest", "-q", "--tb=short", f"--timeout={TEST_SECONDS}"]
        # The plugin of schemathesis takes seconds to import.
        command += ["-p", "no:cacheprovider", "-p", "no:schemathesis", "-p", "tools.windows_under_wine.recorder"]
        command += [f"--basetemp={_windows(self.folder / 'tmp')}", *self.tests.split(",")]
        mine = {"WINPYTHON_RUN": self.id, "WINPYTHON_CONSOLE": "1", "TEST_RECORD": _windows(self.record)}
        with subprocess.Popen(  # noqa: S603 - our own command
            command, cwd=ROOT, env=os.environ | mine, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            chunks: list[bytes] = []
            reader = threading.Thread(target=lambda: chunks.extend(process.stdout or ()), daemon=True)
            reader.start()
            self._wait(process)
            # Processes that tests left behind keep the pipe open.
            _kill_rest(self.id)
            reader.join()
        text = b"".join(chunks).decode("utf-8", "replace").replace("\r", "")
        self.output += text
        return " in " in text.rstrip().rpartition("\n")[2]

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for the end of pytest, the deadline, or a time in which no test has started or ended."""
        known, since = 0, time.monotonic()
        while process.poll() is None and time.monotonic() < min(self.deadline, since + QUIET_SECONDS):
            time.sleep(0.1)
            size = self.record.stat().st_size if self.record.exists() else 0
            if size != known:
                known, since = size, time.monotonic()


def _windows(path: Path) -> str:
    return "Z:" + str(path).replace("/", "\\")


def _kill_rest(run: str) -> None:
    """Kill what a run started: its processes are no children of ours, but they inherit its environment.

    So do the Wine server and its services, which other runs share.
    """
    mine = f"WINPYTHON_RUN={run}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mine not in (process / "environ").read_bytes().split(b"\0"):
                continue
            command = (process / "cmdline").read_bytes().lower()
            if b"wineserver" not in command and b"windows\\system32\\" not in command:
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:  # it has ended
            continue


def _keep_server_running(box: Path) -> subprocess.Popen[bytes]:
    """Start a process that reads standard input to its end.

    The Wine server ends with its last process, and a program that starts at that moment fails.
    """
    command = [box / "bin" / "winpython", "-c", "import sys; print(flush=True); sys.stdin.read()"]
    keeper = subprocess.Popen(  # noqa: S603 - our own command
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    if not keeper.stdout or not keeper.stdout.readline():
        raise SystemExit("the Windows Python does not start")
    return keeper


def main() -> int:
    """Run all tests, print the output of each run when it ends, and what went wrong at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("box", type=lambda text: Path(text).resolve(), metavar="FOLDER")
    parser.add_argument("tests", nargs="+", metavar="TESTS")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--record", type=Path)
    asked = parser.parse_args()
    began = time.monotonic()
    runs = [Run(asked.box, tests, began + asked.minutes * 60) for tests in asked.tests]
    keeper = _keep_server_running(asked.box)
    try:
        with ThreadPoolExecutor(asked.jobs) as pool:
            for run in pool.map(Run.__call__, runs):
                times = ", ".join(f"{part} {run.seconds(part):.0f} s" for part in run.tests.split(","))
                sys.stdout.write(f"-- on Windows: {times}\n{run.output.strip()}\n")
                sys.stdout.flush()
    finally:
        keeper.communicate()
    if asked.record:
        asked.record.write_text("".join(f"{line}\n" for run in runs for line in run.lines()), encoding="utf-8")
    failures = [failure for run in runs for failure in run.failures()]
    counts = Counter(outcome for run in runs for outcome in run.outcomes.values())
    for run in runs:
        shutil.rmtree(run.folder, ignore_errors=True)
    late = time.monotonic() - began > asked.minutes * 60
    text = f"{counts['passed']} passed, {counts['skipped']} skipped, {len(failures)} failed or hung"
    late_text = f", stopped after {asked.minutes:g} minutes" if late else ""
    sys.stdout.write("".join(f"{failure}\n" for failure in failures))
    sys.stdout.write(f"On the Windows Python: {text}, in {time.monotonic() - began:.0f} s{late_text}\n")
    return 1 if failures or late else 0


if __name__ == "__main__":
    sys.exit(main())
