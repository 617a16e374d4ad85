"""The command that adds a package to this installation."""

from __future__ import annotations

import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path


def install_command(package: str) -> str:
    """Return the command of the program that installed the shim: pipx, uv or pip."""
    prefix = Path(sys.prefix)
    if (prefix / "pipx_metadata.json").is_file():
        words = ["pipx", "inject", prefix.name, package]
    elif (prefix / "uv-receipt.toml").is_file() or _installer() == "uv":  # such an environment has no pip
        words = ["uv", "pip", "install", "--python", sys.executable, package]
    else:
        words = [sys.executable, "-m", "pip", "install", package]
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


def _installer() -> str:
    try:
        return (distribution("flask-shim").read_text("INSTALLER") or "").strip()
    except PackageNotFoundError:  # run from a checkout that is not installed
        return ""
