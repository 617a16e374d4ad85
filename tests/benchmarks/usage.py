"""What a process and its children have used, read from /proc: on other systems it is left out of the report."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

PROC = Path("/proc")
IS_READABLE = all((PROC / "self" / name).is_file() for name in ("stat", "status", f"task/{os.getpid()}/children"))

if sys.platform == "win32":
    TICKS_PER_SECOND = 1
else:
    TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

WITHOUT = "" if IS_READABLE else "CPU and memory are not shown: this system has no /proc to read them from."

_RSS = re.compile(r"VmRSS:\s+(\d+) kB")


def cpu_seconds(pid: int) -> float | None:
    """Return the CPU time of the process and those it started, None where it cannot be read."""
    if not IS_READABLE:
        return None
    ticks = 0
    for each in _tree(pid):
        fields = (PROC / str(each) / "stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # utime, stime
    return ticks / TICKS_PER_SECOND


def memory_bytes(pid: int) -> int | None:
    """Return the resident memory of the process and those it started, None where it cannot be read."""
    if not IS_READABLE:
        return None
    statuses = ((PROC / str(each) / "status").read_text(encoding="utf-8") for each in _tree(pid))
    return sum(int(found[1]) * 1024 for status in statuses if (found := _RSS.search(status)))


def _tree(pid: int) -> list[int]:
    children = (PROC / str(pid) / "task" / str(pid) / "children").read_text(encoding="utf-8").split()
    return [pid, *(each for child in children for each in _tree(int(child)))]
