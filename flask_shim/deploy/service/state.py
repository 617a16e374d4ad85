"""The state of the service, with the exit codes of ``systemctl status``."""

from __future__ import annotations

from enum import IntEnum


class State(IntEnum):
    """The value is the exit code of ``flask-shim service status``."""

    RUNNING = 0
    STOPPED = 3
    NOT_INSTALLED = 4

    def __str__(self) -> str:
        """Return it in words."""
        return self.name.lower().replace("_", " ")
