"""Where the ``lms`` tool is, and whether it speaks to the LM Studio at an address."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

PROGRAM = "lms.exe" if sys.platform == "win32" else "lms"

_HOMES = (".lmstudio", ".cache/lm-studio")
_POINTER = ".lmstudio-home-pointer"
"""A file in the user's folder that holds the path of LM Studio's folder, where that was moved."""

_LONGEST_PATH = 4096


def find_tool(folders: Sequence[str] | None = None, home: Path | None = None) -> Path | None:
    """Return the program: from ``folders`` (default: those of PATH), else from where LM Studio puts it."""
    candidates = (*_on_path(os.get_exec_path() if folders is None else folders), *_installed(home))
    return next((path for path in candidates if _is_program(path)), None)


def _on_path(folders: Sequence[str]) -> Iterator[Path]:
    # Not shutil.which: on Windows it begins with the current folder, where anybody may have put an lms.exe.
    return (Path(folder) / PROGRAM for folder in folders if Path(folder).is_absolute())


def _installed(home: Path | None) -> Iterator[Path]:
    if home is None:
        with suppress(RuntimeError):  # a service's account may have no home, and then nothing is installed there
            home = Path.home()
    if home is None:
        return
    with suppress(OSError, ValueError):  # usually there is no such file
        pointed = (home / _POINTER).read_text(encoding="utf-8")[:_LONGEST_PATH].strip()
        if Path(pointed).is_absolute():
            yield Path(pointed) / "bin" / PROGRAM
    for folder in _HOMES:
        yield home / folder / "bin" / PROGRAM


def _is_program(path: Path) -> bool:
    with suppress(OSError, ValueError):  # a folder that may not be looked into holds no tool for us
        return path.is_file() and os.access(path, os.X_OK)
    return False


def is_this_machine(url: str) -> bool:
    """Tell whether the address is one of this machine's: a socket can be bound to no other."""
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
