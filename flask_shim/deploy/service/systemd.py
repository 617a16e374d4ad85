"""A unit of systemd: of the machine, or of one user."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_config_dir

from flask_shim.config import Config
from flask_shim.config.parsers import is_file, user_folder
from flask_shim.deploy.rendering import is_below_a_home, render
from flask_shim.deploy.service.steps import Runner, State, Step, remove_file, run_command, write_file

UNIT = "flask-shim.service"
SYSTEM_UNITS = Path("/etc/systemd/system")
SYSTEM_SETTINGS = Path("/etc/flask-shim.env")
BOOTED = Path("/run/systemd/system")
"""Exists where systemd is the first process: sd_booted(3)."""


@dataclass(frozen=True)
class Systemd:
    """``folder`` is the working folder of a user's unit, None for the unit of the machine."""

    folder: Path | None
    unit: Path
    installed_in: tuple[Path, ...] = ()
    is_root: bool = True
    is_booted: bool = True
    copies_settings: bool = False

    @classmethod
    def here(cls, folder: Path | None) -> Systemd:
        """Return the one of this machine."""
        unit = (user_folder(user_config_dir, "systemd") / "user" if folder else SYSTEM_UNITS) / UNIT
        return cls(
            folder and (_working_folder(unit) or folder),
            unit,
            (Path(sys.prefix), Path(sys.base_prefix)),
            getattr(os, "geteuid", int)() == 0,  # mypy checks for Windows, too
            BOOTED.is_dir(),
            copies_settings=folder is None,
        )

    @property
    def title(self) -> str:
        """Say whose unit it is."""
        return f"systemd, {'user' if self.folder else 'system'}"

    @property
    def settings(self) -> Path:
        """Return the file beside which a user's shim runs, or the one in /etc."""
        return self.folder / ".env" if self.folder else SYSTEM_SETTINGS

    @property
    def log(self) -> str:
        """Return the command that shows the journal."""
        return f"journalctl {'--user ' if self.folder else ''}-u flask-shim"

    def obstacle(self) -> str | None:
        """Check for systemd, for root, and for an installation that the unit can read."""
        if not self.is_booted:
            return "systemd does not run here. Start flask-shim serve with the service manager of this system."
        if self.folder:
            return None
        if not self.is_root:
            return "A service of the machine needs root: run it with sudo, or add --user for a service of yours."
        hidden = [*filter(is_below_a_home, self.installed_in)]
        if hidden:
            return (
                f"A service of the machine can't read {hidden[0]}, where flask-shim is installed. "
                "Add --user, or install it into /opt/flask-shim."
            )
        return None

    def state(self, run: Runner) -> State:
        """Ask systemd whether the unit is active, if there is one."""
        if not is_file(self.unit):
            return State.NOT_INSTALLED
        active = run(self._systemctl("is-active", UNIT)).output.strip()
        return State.RUNNING if active in ("active", "activating", "reloading", "deactivating") else State.STOPPED

    def install(self, config: Config, settings: str | None) -> Sequence[Step]:
        """Write the unit that ``flask-shim config systemd`` prints, or its variant for a user, and enable it."""
        text = render("systemd", config, folder=self.folder)
        steps: list[Step] = [] if settings is None else [write_file(self.settings, settings, 0o600)]
        return [*steps, write_file(self.unit, text), self._do("daemon-reload"), self._do("enable", UNIT)]

    def start(self) -> Sequence[Step]:
        """Start the unit."""
        return [self._do("start", UNIT)]

    def stop(self) -> Sequence[Step]:
        """Stop the unit; systemctl waits until it has ended."""
        return [self._do("stop", UNIT)]

    def remove(self, state: State) -> Sequence[Step]:  # noqa: ARG002 - systemctl does both
        """Stop and disable the unit, and remove its file."""
        return [self._do("disable", "--now", UNIT), remove_file(self.unit), self._do("daemon-reload")]

    def advice(self) -> str:
        """Say when it runs."""
        if self.folder:
            return "It runs while you are logged in; loginctl enable-linger keeps it running."
        return "It starts with the machine."

    def _systemctl(self, *words: str) -> tuple[str, ...]:
        return ("systemctl", *(("--user",) if self.folder else ()), *words)

    def _do(self, *words: str) -> Step:
        return run_command(*self._systemctl(*words))


def _working_folder(unit: Path) -> Path | None:
    """Return the folder that an installed unit names."""
    text = unit.read_text(encoding="utf-8") if is_file(unit) else ""
    named = re.search(r"^WorkingDirectory=(.+)$", text, re.MULTILINE)
    return Path(named.group(1).replace("%%", "%")) if named else None
