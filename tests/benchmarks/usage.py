"""What a process and its children have used. Other systems than Linux leave it out of the report."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

PROC = Path("/proc")
IS_READABLE = sys.platform == "linux" and (PROC / f"self/task/{os.getpid()}/children").is_file()
WITHOUT = "" if IS_READABLE else "CPU and memory are shown on Linux only."

_RSS = re.compile(r"VmRSS:\s+(\d+) kB")


def cpu_seconds(pid: int) -> float | None:
    """Return the CPU time of the process and those it started, None where it cannot be read."""
    if not IS_READABLE:
        return None
    return sum(time.clock_gettime(_cpu_clock(each)) for each in _tree(pid))


def memory_bytes(pid: int) -> int | None:
    """Return the resident memory of the process and those it started, None where it cannot be read."""
    if not IS_READABLE:
        return None
    statuses = ((PROC / str(each) / "status").read_text(encoding="utf-8") for each in _tree(pid))
    return sum(int(found[1]) * 1024 for status in statuses if (found := _RSS.search(status)))


def _cpu_clock(pid: int) -> int:
    """Return the clock of a process' CPU time, which counts nanoseconds; /proc counts in steps of 10 ms.

    It is what clock_getcpuclockid(3) of glibc returns.
    """
    return (~pid << 3) | 2


def _tree(pid: int) -> list[int]:
    children = (PROC / str(pid) / "task" / str(pid) / "children").read_text(encoding="utf-8").split()
    return [pid, *(each for child in children for each in _tree(int(child)))]
