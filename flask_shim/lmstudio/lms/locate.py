"""Find the ``lms`` tool, and whether an address belongs to this machine, which the tool controls."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

PROGRAM = "lms.exe" if sys.platform == "win32" else "lms"

_HOMES = (".lmstudio", ".cache/lm-studio")
_POINTER = ".lmstudio-home-pointer"
"""A file in the home folder with the path of LM Studio's folder, if that was moved."""

_LONGEST_PATH = 4096


def find_tool() -> Path | None:
    """Return the program from a folder of PATH, otherwise from where LM Studio installs it."""
    # Not shutil.which, which on Windows begins with the current folder, where other users may have put an lms.exe.
    on_path = (Path(folder) / PROGRAM for folder in os.get_exec_path() if Path(folder).is_absolute())
    return next(filter(_is_program, chain(on_path, _installed())), None)


def _installed() -> Iterator[Path]:
    try:
        home = Path.home()
    except RuntimeError:  # the account of a service may have no home folder
        return
    with suppress(OSError, ValueError):  # the file usually does not exist
        pointed = (home / _POINTER).read_text(encoding="utf-8")[:_LONGEST_PATH].strip()
        if Path(pointed).is_absolute():
            yield Path(pointed) / "bin" / PROGRAM
    for folder in _HOMES:
        yield home / folder / "bin" / PROGRAM


def _is_program(path: Path) -> bool:
    with suppress(OSError, ValueError):  # a folder without access
        return path.is_file() and os.access(path, os.X_OK)
    return False


def is_this_machine(url: str) -> bool:
    """Return whether the address belongs to this machine, that is, whether a socket can be bound to it."""
    host = urlsplit(url).hostname
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return any(_can_bind(family, address) for family, _, _, _, address in found)


def _can_bind(family: int, address: tuple[object, ...]) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.bind((address[0], 0, *address[2:]))
    except OSError:
        return False
    return True
