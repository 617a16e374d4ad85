"""The processes that a process has started."""

from __future__ import annotations

import sys
from pathlib import Path

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    class _Entry(ctypes.Structure):
        """PROCESSENTRY32W."""

        _fields_ = (
            ("size", wintypes.DWORD),
            ("usage", wintypes.DWORD),
            ("pid", wintypes.DWORD),
            ("heap", ctypes.c_size_t),
            ("module", wintypes.DWORD),
            ("threads", wintypes.DWORD),
            ("parent", wintypes.DWORD),
            ("priority", wintypes.LONG),
            ("flags", wintypes.DWORD),
            ("file", wintypes.WCHAR * 260),
        )

    _kernel = ctypes.WinDLL("kernel32")
    _kernel.CreateToolhelp32Snapshot.restype = wintypes.HANDLE
    _kernel.Process32FirstW.argtypes = _kernel.Process32NextW.argtypes = (wintypes.HANDLE, ctypes.POINTER(_Entry))
    _kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
    _PROCESSES = 2

    def _parents() -> dict[int, int]:
        found = {}
        entry = _Entry(size=ctypes.sizeof(_Entry))
        snapshot = _kernel.CreateToolhelp32Snapshot(_PROCESSES, 0)
        more = _kernel.Process32FirstW(snapshot, entry)
        while more:
            found[entry.pid] = entry.parent
            more = _kernel.Process32NextW(snapshot, entry)
        _kernel.CloseHandle(snapshot)
        return found

    CAN_LIST_CHILDREN = True

    def children(pid: int) -> list[int]:
        """Return the running processes that ``pid`` has started."""
        return [child for child, parent in _parents().items() if parent == pid]

    def is_running(pid: int) -> bool:
        """Tell whether there is such a process."""
        return pid in _parents()

else:
    CAN_LIST_CHILDREN = Path("/proc/self/task").exists()

    def children(pid: int) -> list[int]:
        """Return the running processes that any thread of ``pid`` has started."""
        lists = [task / "children" for task in Path(f"/proc/{pid}/task").iterdir()]
        return [int(child) for each in lists for child in each.read_text(encoding="ascii").split()]

    def is_running(pid: int) -> bool:
        """Tell whether there is such a process."""
        return Path(f"/proc/{pid}").exists()
