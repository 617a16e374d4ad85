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

    _ARROWS = {b"H": UP, b"P": DOWN}
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
        # Not getwch: where it is used, kbhit cannot tell the first half of an arrow key from the letter à (click#1108).
        key = msvcrt.getch()
        if key in (b"\x00", b"\xe0") and msvcrt.kbhit():
            return _ARROWS.get(msvcrt.getch(), "")
        return key.decode("ascii", "ignore")

else:
    import os
    import re
    import select
    import termios
    import tty
    from collections import deque

    _ARROWS = {"\x1b[A": UP, "\x1b[B": DOWN, "\x1bOA": UP, "\x1bOB": DOWN}
    _KEY = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1bO.|.", re.DOTALL)
    """A function key is an escape sequence (ECMA-48, section 5.4), other keys are one character."""
    _MOST_BYTES = 64

    @contextmanager
    def pressed_keys() -> Iterator[ReadKey]:
        """Yield a function that reads keys; they are not shown, and the terminal is restored afterwards."""
        number = sys.stdin.fileno()
        before = termios.tcgetattr(number)
        tty.setcbreak(number)
        pressed: deque[str] = deque()
        try:
            yield lambda seconds: _read_key(number, seconds, pressed)
        finally:
            termios.tcsetattr(number, termios.TCSADRAIN, before)

    def _read_key(number: int, seconds: float, pressed: deque[str]) -> str:
        """Return the next of the keys that are ``pressed``: while a key is held, one read returns several."""
        if not pressed:
            if not select.select([number], [], [], seconds)[0]:
                return ""
            text = os.read(number, _MOST_BYTES).decode("utf-8", "replace")
            if not text:  # the terminal was closed
                raise EOFError
            pressed.extend(_KEY.findall(text))
        key = pressed.popleft()
        return _ARROWS.get(key, key if len(key) == 1 else "")
