"""Keys as they are pressed, on Windows and on POSIX."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ReadKey = Callable[[float], str]
"""Returns the next key: a character, ``UP``, ``DOWN``, or nothing if none is pressed within some seconds."""

UP, DOWN = "up", "down"

if sys.platform == "win32":
    import msvcrt

    _ARROWS = {"H": UP, "P": DOWN}
    _POLL_SECONDS = 0.02

    @contextmanager
    def pressed_keys() -> Iterator[ReadKey]:
        """Yield a function that reads keys; they are not shown."""
        yield _read_key

    def _read_key(seconds: float) -> str:
        deadline = time.monotonic() + seconds
        while not msvcrt.kbhit():  # polled: msvcrt cannot wait for a limited time
            if time.monotonic() >= deadline:
                return ""
            time.sleep(_POLL_SECONDS)
        key = msvcrt.getwch()
        return _ARROWS.get(msvcrt.getwch(), "") if key in ("\x00", "\xe0") else key

else:
    import os
    import select
    import termios
    import tty

    _ARROWS = {"\x1b[A": UP, "\x1b[B": DOWN, "\x1bOA": UP, "\x1bOB": DOWN}
    _MOST_BYTES = 8

    @contextmanager
    def pressed_keys() -> Iterator[ReadKey]:
        """Yield a function that reads keys; they are not shown, and the terminal is restored afterwards."""
        number = sys.stdin.fileno()
        before = termios.tcgetattr(number)
        tty.setcbreak(number)
        try:
            yield lambda seconds: _read_key(number, seconds)
        finally:
            termios.tcsetattr(number, termios.TCSADRAIN, before)

    def _read_key(number: int, seconds: float) -> str:
        if not select.select([number], [], [], seconds)[0]:
            return ""
        text = os.read(number, _MOST_BYTES).decode("utf-8", "replace")
        if not text:  # the terminal was closed
            raise EOFError
        return _ARROWS.get(text, text[0])
