#!/usr/bin/env python3
"""Run tests of this project on the Windows Python that setup.sh has made.

    run_tests.py FOLDER TESTS... [--jobs N] [--seconds N] [--record FILE]

Each of TESTS (folders or files with commas between them) gets its own pytest, up to ``--jobs`` of them at once. A test
that hangs is reported by name and ended; pytest goes on behind it. Tests that failed or were ended are repeated once
when nothing else runs, as many wait for processes, which start slowly under Wine, and all are ended if Wine's server
is. After ``--seconds`` everything is ended. The exit code is 1 unless every test passed or was skipped. ``--record``
keeps the outcome of each test as a line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import select
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
from typing import Any

ROOT = Path(__file__).parents[2]
TEST_SECONDS = 120
"""pytest-timeout ends pytest when one test takes longer."""

QUIET_SECONDS = 300
"""A pytest that has neither started nor ended a test for this time is killed."""

START_SECONDS = 60
"""A Windows Python that does nothing has to start within this time."""

START_ATTEMPTS = 3

END_SECONDS = 30
"""How long to wait for what a process leaves behind."""

RANK = ("started", "passed", "skipped", "failed")

BAD = {"failed": "failed", "started": "hung or was stopped"}  # in words


class Run:
    """Some tests: as many processes of pytest, one after the other, as it takes."""

    def __init__(self, box: Path, tests: list[str], deadline: float) -> None:
        """Prepare the run; ``deadline`` is of ``time.monotonic``."""
        self.box, self.tests, self.deadline = box, tests, deadline
        self.id = uuid.uuid4().hex[:8]
        # Every temporary path of the tests has a blank and an umlaut.
        self.folder = box / "runs" / f"Prüf stand {self.id}"
        self.record = self.folder / "record"
        self.output = ""
        self.is_complete = False

    @property
    def facts(self) -> list[dict[str, Any]]:
        """What the recorder wrote."""
        lines = self.record.read_text(encoding="utf-8").splitlines() if self.record.exists() else []
        return [json.loads(line) for line in lines]

    @property
    def outcomes(self) -> dict[str, str]:
        """The outcome of each test; ``started`` for one that has not ended."""
        found: dict[str, str] = {}
        for each in self.facts:
            found[each["test"]] = max(found.get(each["test"], "started"), each["outcome"], key=RANK.index)
        return found

    def run(self) -> None:
        """Run the tests to their end, or until the deadline."""
        self.folder.mkdir(parents=True)
        (self.folder / "tests").write_text("\n".join(self.tests), encoding="utf-8")
        while not self.is_complete and time.monotonic() < self.deadline:
            before = len(self.outcomes)
            self._run_pytest()
            if len(self.outcomes) == before:
                break

    def seconds(self, part: str) -> float:
        """Return how long the tests of a folder or file took."""
        return sum(float(each.get("seconds", 0)) for each in self.facts if each["test"].startswith(part))

    def _run_pytest(self) -> None:
        command = [str(self.box / "bin" / "winpython"), "-m", "pytest", "-q", "--tb=short", f"--timeout={TEST_SECONDS}"]
        # The plugin of schemathesis takes seconds to import.
        command += ["-p", "no:cacheprovider", "-p", "no:schemathesis", "-p", "tools.windows_under_wine.recorder"]
        command += [f"--basetemp={_windows(self.folder / 'tmp')}", f"@{_windows(self.folder / 'tests')}"]
        mine = {"WINPYTHON_RUN": self.id, "WINPYTHON_CONSOLE": "1", "TEST_RECORD": _windows(self.record)}
        # Not used as a context manager, whose end would wait without limit for a process that keeps the pipe open.
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, cwd=ROOT, env=os.environ | mine, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        chunks: list[bytes] = []
        reader = threading.Thread(target=lambda: chunks.extend(process.stdout or ()), daemon=True)
        reader.start()
        self._wait(process)
        # Processes that tests left behind keep the pipe open.
        _kill_rest(self.id)
        reader.join(END_SECONDS)
        if reader.is_alive():
            _say(f"the output of {self.id} was not closed {END_SECONDS} s after its processes were killed")
        text = b"".join(chunks).decode("utf-8", "replace").replace("\r", "")
        self.output += text
        self.is_complete = " in " in text.rstrip().rpartition("\n")[2]

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

    The Wine server ends with its last process, and a program that starts at that moment fails or hangs. The first
    program that needs a desktop starts Wine's explorer.exe, which runs as long as the server and keeps the pipes of
    that program open; so this process needs one.
    """
    run = uuid.uuid4().hex[:8]
    code = "import ctypes, sys; ctypes.windll.user32.GetDesktopWindow(); print(flush=True); sys.stdin.read()"
    command = [str(box / "bin" / "winpython"), "-c", code]
    for _ in range(START_ATTEMPTS):
        keeper = subprocess.Popen(  # noqa: S603 - our own command
            command,
            env=os.environ | {"WINPYTHON_RUN": run},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        output = keeper.stdout
        if output is not None and select.select([output], [], [], START_SECONDS)[0] and output.readline():
            return keeper
        _say(f"the Windows Python did not start within {START_SECONDS} s")
        _kill_rest(run)
        keeper.kill()
    raise SystemExit(f"the Windows Python did not start in {START_ATTEMPTS} attempts")


def _end(keeper: subprocess.Popen[bytes]) -> None:
    if keeper.stdin is not None:
        keeper.stdin.close()
    try:
        keeper.wait(END_SECONDS)  # not for the end of its output: Wine's services keep that open
    except subprocess.TimeoutExpired:
        keeper.kill()


def main() -> int:
    """Run all tests, print the output of each run when it ends, and what went wrong at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("box", type=lambda text: Path(text).resolve(), metavar="FOLDER")
    parser.add_argument("tests", nargs="+", metavar="TESTS")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--record", type=Path)
    asked = parser.parse_args()
    began = time.monotonic()
    deadline = began + asked.seconds
    runs = [Run(asked.box, tests.split(","), deadline) for tests in asked.tests]
    keeper = _keep_server_running(asked.box)
    try:
        with ThreadPoolExecutor(asked.jobs) as pool:
            for run in pool.map(_run_and_print, runs):
                shutil.rmtree(run.folder / "tmp", ignore_errors=True)
        failed = [test for run in runs for test, outcome in run.outcomes.items() if outcome in BAD]
        if failed:
            runs.append(_run_and_print(Run(asked.box, failed, deadline)))
    finally:
        _end(keeper)
    if asked.record:
        asked.record.write_text(
            "".join(f"{json.dumps(each)}\n" for run in runs for each in run.facts), encoding="utf-8"
        )
    is_good = _print_outcomes(runs)
    for run in runs:
        shutil.rmtree(run.folder, ignore_errors=True)
    _say(f"It took {time.monotonic() - began:.0f} s, of {asked.seconds:.0f} s at most.")
    return 0 if is_good and time.monotonic() < deadline else 1


def _run_and_print(run: Run) -> Run:
    run.run()
    folders = dict.fromkeys(test.partition("::")[0] for test in run.tests)
    times = ", ".join(f"{folder} {run.seconds(folder):.0f} s" for folder in folders)
    _say(f"-- on Windows: {times}\n{run.output.strip()}")
    return run


def _print_outcomes(runs: list[Run]) -> bool:
    """Print the counts, and the tests that did not pass at once; return whether all passed in the end."""
    first: dict[str, str] = {}
    last: dict[str, str] = {}
    for run in runs:
        last |= run.outcomes
        first = run.outcomes | first
    for test, outcome in last.items():
        if outcome in BAD:
            _say(f"{BAD[outcome]}: {test}")
        elif first[test] in BAD:
            _say(f"{BAD[first[test]]} at first, passed when repeated: {test}")
    incomplete = [", ".join(run.tests) for run in runs if not run.is_complete]
    for tests in incomplete:
        _say(f"pytest did not come to its end: {tests}")
    counts = Counter(last.values())
    bad = counts["failed"] + counts["started"]
    _say(f"On the Windows Python: {counts['passed']} passed, {counts['skipped']} skipped, {bad} failed or hung.")
    return bool(counts["passed"]) and not bad and not incomplete


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
