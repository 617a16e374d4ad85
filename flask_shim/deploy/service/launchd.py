"""An agent of launchd, which runs in the session of a user."""

from __future__ import annotations

import os
import plistlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flask_shim.config import Config
from flask_shim.deploy.rendering import render
from flask_shim.deploy.service.steps import Runner, State, Step, remove_file, run_command, write_file

LABEL = "com.flask-shim"


@dataclass(frozen=True)
class Launchd:
    """``folder`` is the working folder of the shim, with its settings and its log."""

    folder: Path
    agent: Path
    user: int
    copies_settings: bool = False
    title: str = "launchd"

    @classmethod
    def here(cls, folder: Path) -> Launchd:
        """Return the one of this user."""
        agent = Path.home() / "Library" / "LaunchAgents" / f"{LABEL}.plist"
        if agent.exists():
            folder = Path(plistlib.loads(agent.read_bytes()).get("WorkingDirectory", folder))
        # mypy checks for Windows, too, which has no user numbers.
        return cls(folder, agent, getattr(os, "getuid", int)())

    @property
    def settings(self) -> Path:
        """Return the file in the working folder."""
        return self.folder / ".env"

    @property
    def log(self) -> str:
        """Return the file that the agent names."""
        return str(self.folder / "shim.log")

    def obstacle(self) -> str | None:
        """Refuse root, who has no session."""
        return None if self.user else "An agent runs in the session of a user: run it without sudo."

    def state(self, run: Runner) -> State:
        """Ask launchd, if there is an agent; a stopped one is not loaded."""
        if not self.agent.exists():
            return State.NOT_INSTALLED
        shown = run(("launchctl", "print", self._name))
        return State.RUNNING if shown.code == 0 and "state = running" in shown.output else State.STOPPED

    def install(self, config: Config, settings: str | None) -> Sequence[Step]:  # noqa: ARG002 - the file is the user's
        """Write the agent that ``flask-shim config launchd`` prints; it is loaded at the next login."""
        return [write_file(self.agent, render("launchd", config, folder=self.folder))]

    def start(self) -> Sequence[Step]:
        """Load the agent, which starts it. One that has failed is unloaded first."""
        return [
            run_command("launchctl", "bootout", self._name, may_fail=True),
            run_command("launchctl", "bootstrap", f"gui/{self.user}", str(self.agent)),
        ]

    def stop(self) -> Sequence[Step]:
        """Unload the agent: launchd would start one that it only killed."""
        return [run_command("launchctl", "bootout", self._name)]

    def remove(self, state: State) -> Sequence[Step]:
        """Unload the agent and remove its file."""
        return [
            run_command("launchctl", "bootout", self._name, may_fail=state is not State.RUNNING),
            remove_file(self.agent),
        ]

    def advice(self) -> str:
        """Say when it runs."""
        return "It starts when you log in."

    @property
    def _name(self) -> str:
        return f"gui/{self.user}/{LABEL}"
