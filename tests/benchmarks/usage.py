"""What a process and its children use. Other systems than Linux leave it out of the report."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

PROC = Path("/proc")
IS_READABLE = sys.platform == "linux" and (PROC / f"self/task/{os.getpid()}/children").is_file()
WITHOUT = "" if IS_READABLE else "CPU and memory are shown on Linux only."

_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")
_RESET_PEAK = "5"
"""See clear_refs in proc(5)."""


def cpu_seconds(pid: int) -> float | None:
    """Return the CPU time of the process and those it started, None where it cannot be read."""
    if not IS_READABLE:
        return None
    return sum(time.clock_gettime(_cpu_clock(each)) for each in _tree(pid))


def reset_peak(pid: int) -> None:
    """Forget how much memory was resident before now."""
    for each in _tree(pid) if IS_READABLE else ():
        (PROC / str(each) / "clear_refs").write_text(_RESET_PEAK, encoding="utf-8")


def peak_bytes(pid: int) -> int | None:
    """Return the most resident memory since ``reset_peak``, None where it cannot be read."""
    if not IS_READABLE:
        return None
    statuses = ((PROC / str(each) / "status").read_text(encoding="utf-8") for each in _tree(pid))
    return sum(int(found[1]) * 1024 for status in statuses if (found := _PEAK.search(status)))


def _cpu_clock(pid: int) -> int:
    """Return the clock of a process' CPU time, which counts nanoseconds; /proc counts in steps of 10 ms.

    It is what clock_getcpuclockid(3) of glibc returns.
    """
    return (~pid << 3) | 2


def _tree(pid: int) -> list[int]:
    children = (PROC / str(pid) / "task" / str(pid) / "children").read_text(encoding="utf-8").split()
    return [pid, *(each for child in children for each in _tree(int(child)))]
