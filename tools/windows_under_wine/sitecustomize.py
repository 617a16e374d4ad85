"""Replace Ctrl-Break and process groups, which Wine 8 does not support, for tests that stop processes.

A process started as the leader of a group gets its own console, and Ctrl-C through that console stands for Ctrl-Break.
Python imports this module when it starts. Set WINPYTHON_PLAIN to disable it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

SEND = """
import ctypes, sys
k = ctypes.WinDLL("kernel32")
k.SetConsoleCtrlHandler(None, 1)
k.FreeConsole()
sys.exit(not (k.AttachConsole(int(sys.argv[1])) and k.GenerateConsoleCtrlEvent(0, 0)))
"""


def _install() -> None:
    real_kill, real_init = os.kill, subprocess.Popen.__init__

    def kill(pid: int, number: int) -> None:
        if number not in (signal.CTRL_C_EVENT, signal.CTRL_BREAK_EVENT) or not pid:
            return real_kill(pid, number)
        if subprocess.call([sys.executable, "-I", "-S", "-c", SEND, str(pid)]) == 1:  # noqa: S603 - our own interpreter
            raise OSError(22, "no such console")
        return None

    def init(self: Any, *args: Any, creationflags: int = 0, **kwargs: Any) -> None:
        if creationflags & subprocess.CREATE_NEW_PROCESS_GROUP:
            creationflags += subprocess.CREATE_NEW_CONSOLE - subprocess.CREATE_NEW_PROCESS_GROUP
        real_init(self, *args, creationflags=creationflags, **kwargs)

    os.kill, subprocess.Popen.__init__ = kill, init


if sys.platform == "win32" and not os.environ.get("WINPYTHON_PLAIN"):
    _install()
