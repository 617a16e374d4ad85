"""Ctrl-C ends a command also where the main thread waits and Python can run no signal handler there."""

from __future__ import annotations

import subprocess
import sys

from support.processes import START_SECONDS

BEGIN = """
import _thread, hashlib, signal, threading, time
from flask_shim.cli.interrupt import GRACE_SECONDS, end_at_ctrl_c

end_at_ctrl_c()
"""

PRESS_SOON = "threading.Timer(0.2, _thread.interrupt_main).start()\n"

WAIT = """
hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # takes minutes, and no signal ends it
"""

GO_ON = """
try:
    # Pressed twice within one instruction: Python handles both at once.
    [*map(_thread.interrupt_main, (signal.SIGINT, signal.SIGINT))]
    while True:
        time.sleep(0.01)
except KeyboardInterrupt:
    print("stopped an answer")
time.sleep(3 * GRACE_SECONDS)
"""

REPLACE = """
signal.signal(signal.SIGINT, lambda *_: print("draining"))
ends_at = time.monotonic() + 3 * GRACE_SECONDS
while time.monotonic() < ends_at:  # Python runs handlers between two of these
    hashlib.pbkdf2_hmac("sha256", b"", b"", 3_000_000)
"""


def run(script: str) -> tuple[int, list[str], str]:
    """Run a script in which Ctrl-C is pressed; return its exit code and what it wrote to both streams."""
    command = [sys.executable, "-c", BEGIN + script]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=START_SECONDS)
    return ended.returncode, ended.stdout.split("\n")[:1], ended.stderr.strip()


def test_a_wait_that_no_signal_ends_is_ended():
    assert run(PRESS_SOON + WAIT) == (1, [""], "Aborted!")


def test_a_command_that_handles_ctrl_c_goes_on():
    assert run(GO_ON) == (0, ["stopped an answer"], "")


def test_a_handler_that_replaced_this_one_is_left_alone():
    assert run(PRESS_SOON + REPLACE) == (0, ["draining"], "")
