"""Commands for users to copy into their shell."""

from __future__ import annotations

import re
import shlex
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

_NEEDS_NO_QUOTES = re.compile(r"[\w.:/\\-]+")


def shell_command(*words: str) -> str:
    """Return a command as PowerShell reads it on Windows, as POSIX shells do elsewhere."""
    return powershell_command(*words) if sys.platform == "win32" else shlex.join(words)


def powershell_command(*words: str) -> str:
    """Return a command for PowerShell, which runs a program in quotes only after ``&``."""
    quoted = [word if _NEEDS_NO_QUOTES.fullmatch(word) else "'" + word.replace("'", "''") + "'" for word in words]
    return " ".join(quoted if quoted[0] == words[0] else ("&", *quoted))


def install_command(package: str) -> str:
    """Return the command of the program that installed the shim: pipx, uv or pip."""
    prefix = Path(sys.prefix)
    if (prefix / "pipx_metadata.json").is_file():
        words = ["pipx", "inject", prefix.name, package]
    elif (prefix / "uv-receipt.toml").is_file() or _installer() == "uv":  # such an environment has no pip
        words = ["uv", "pip", "install", "--python", sys.executable, package]
    else:
        words = [sys.executable, "-m", "pip", "install", package]
    return shell_command(*words)


def _installer() -> str:
    try:
        return (distribution("flask-shim").read_text("INSTALLER") or "").strip()
    except PackageNotFoundError:  # run from a checkout that is not installed
        return ""
