"""The choice of a service manager."""

from __future__ import annotations

import sys
from pathlib import Path

from flask_shim.deploy.service.launchd import Launchd
from flask_shim.deploy.service.systemd import Systemd
from flask_shim.deploy.service.windows import WindowsServices

ServiceManager = Launchd | Systemd | WindowsServices
"""A program that keeps the shim running.

``settings`` is the file of the service, and ``copies_settings`` says that only administrators may read it; ``log`` is a
file, or the command that shows it. ``obstacle`` returns why the service can't be changed or run here, and what to do.
``state`` asks the manager; ``install``, ``start``, ``stop`` and ``remove`` only return the steps to perform.
"""


def choose_manager(*, user: bool, folder: Path) -> ServiceManager:
    """Return the manager of this system; ``folder`` is where a service of the user finds its ``.env``."""
    if sys.platform == "win32":
        return WindowsServices.here()
    if sys.platform == "darwin":
        return Launchd.here(folder)
    return Systemd.here(folder if user else None)
