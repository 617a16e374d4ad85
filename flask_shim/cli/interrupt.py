"""End a command at Ctrl-C on Windows, where that interrupts no wait for a socket, a thread or a process."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time
from types import FrameType

import click

GRACE_SECONDS = 1.0


def end_at_ctrl_c() -> None:
    """Let Ctrl-C end the process also while the main thread waits; only that thread may call this.

    Python runs signal handlers in the main thread, on Windows only after a wait there, which may take minutes while a
    model loads. But it writes each signal to the wakeup socket at once. If the main thread does not run the handler
    soon after that, another thread ends the process. Handlers that replace this one are left alone.
    """
    signals, wakeup = socket.socketpair()
    wakeup.setblocking(False)
    signal.set_wakeup_fd(wakeup.detach(), warn_on_full_buffer=False)
    handled = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        handled.set()
        signal.default_int_handler(number, frame)

    def watch() -> None:
        while True:
            select.select([signals], [], [])
            time.sleep(GRACE_SECONDS)
            if not handled.is_set() and signal.getsignal(signal.SIGINT) is handle:
                _end()
            # In this order: of two signals close together, Python may handle only one.
            handled.clear()
            signals.recv(4096)

    signal.signal(signal.SIGINT, handle)
    threading.Thread(target=watch, name="interrupt", daemon=True).start()


def _end() -> None:
    from rich.console import Console  # imported only by commands that need it

    Console().show_cursor()  # a spinner hides it
    click.echo("\nAborted!", err=True)
    os._exit(1)
