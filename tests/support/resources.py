"""What a running shim holds at this moment: whatever was done to it, it has to give it all back."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import NamedTuple

from support.processes import ShimProcess
from support.wine import SLOWNESS
from support.wire import send_request

SETTLE_SECONDS = 2.0 * SLOWNESS

PROC = Path("/proc" if sys.platform == "linux" else "/nowhere")
"""Under Wine /proc exists, and its processes are those of Linux."""


class Resources(NamedTuple):
    """Slots, watched calls and connections in use as its metrics tell; threads and open files as /proc does.

    Where there is no /proc, the last two are 0.
    """

    slots: int
    calls: int
    connections: int
    threads: int
    files: int

    def fits(self, baseline: Resources) -> bool:
        """Tell whether nothing is held that was not held then."""
        return all(now <= then for now, then in zip(self, baseline, strict=True))


def resources_of(shim: ShimProcess) -> Resources:
    """Read them."""
    text = send_request(shim.port, "/metrics").body.decode()
    slots, calls, connections = (
        int(float(re.findall(rf"(?m)^{name} (\S+)", text)[0]))
        for name in ("shim_generations_in_flight", "shim_backend_requests_in_flight", "shim_backend_connections")
    )
    return Resources(slots, calls, connections, threads_of(shim), files_of(shim))


def threads_of(shim: ShimProcess) -> int:
    """Count the threads of the process."""
    return _count(shim, "task")


def files_of(shim: ShimProcess) -> int:
    """Count its open files and connections."""
    return _count(shim, "fd")


def temporary_files_of(shim: ShimProcess) -> int:
    """Count the open files that have no name any more."""
    folder = PROC / f"{shim.process.pid}/fd"
    return sum(_target(link).endswith("(deleted)") for link in folder.iterdir()) if folder.is_dir() else 0


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:  # closed since the folder was read
        return ""


def memory_of(shim: ShimProcess) -> int:
    """Return the resident memory in bytes, 0 where it cannot be read."""
    status = PROC / f"{shim.process.pid}/status"
    if not status.is_file():
        return 0
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status.read_text(encoding="ascii"))[0]) * 1024


def wait_until_released(shim: ShimProcess, baseline: Resources, seconds: float = SETTLE_SECONDS) -> Resources:
    """Wait until everything is given back; return what is held at the end, given back or not."""
    deadline = time.monotonic() + seconds
    while not (now := resources_of(shim)).fits(baseline) and time.monotonic() < deadline:
        time.sleep(0.1)
    return now


def _count(shim: ShimProcess, kind: str) -> int:
    folder = PROC / f"{shim.process.pid}/{kind}"
    return len(list(folder.iterdir())) if folder.is_dir() else 0
