"""What the service managers of the three systems have in common, and the choice of one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from flask_shim.config import Config
from flask_shim.deploy.service.launchd import Launchd
from flask_shim.deploy.service.steps import Runner, State, Step
from flask_shim.deploy.service.systemd import Systemd
from flask_shim.deploy.service.windows import WindowsServices


class ServiceManager(Protocol):
    """A program that keeps the shim running. All but :meth:`state` say what to do and do nothing."""

    @property
    def title(self) -> str:
        """Its name for the user."""

    @property
    def settings(self) -> Path:
        """The settings file of the service."""

    @property
    def log(self) -> str:
        """Where its log is: a file, or the command that shows it."""

    @property
    def copies_settings(self) -> bool:
        """Whether ``settings`` is a copy that only administrators may read."""

    def obstacle(self) -> str | None:
        """Return why the service can't be changed or can't run here, and what to do; None if it can."""

    def state(self, run: Runner) -> State:
        """Ask for the state."""

    def install(self, config: Config, settings: str | None) -> Sequence[Step]:
        """Return the steps that install it; ``settings`` is the text of its settings file, None to keep the file."""

    def start(self) -> Sequence[Step]:
        """Return the steps that start it when it is installed."""

    def stop(self) -> Sequence[Step]:
        """Return the steps that stop it when it is running; running answers may end."""

    def remove(self, state: State) -> Sequence[Step]:
        """Return the steps that stop and remove it; its settings, data and log stay."""

    def advice(self) -> str:
        """Return what to know after the installation, in one line."""


def choose_manager(*, user: bool, folder: Path) -> ServiceManager:
    """Return the manager of this system; ``folder`` is where a service of the user finds its ``.env``."""
    if sys.platform == "win32":
        return WindowsServices.here()
    if sys.platform == "darwin":
        return Launchd.here(folder)
    return Systemd.here(folder if user else None)
