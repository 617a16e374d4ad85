r"""A Windows service whose process is this Python itself; see :mod:`flask_shim.deploy.service.windows_process`.

Its folder is ``%ProgramData%\flask-shim``, with settings that only administrators and the service can read.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from platformdirs import site_data_path

from flask_shim.config import Config
from flask_shim.deploy.rendering import stop_timeout
from flask_shim.deploy.service.steps import Runner, State, Step, make_folder, run_command, wait_until, write_file

NAME = "flask-shim"
ACCOUNT = f"NT SERVICE\\{NAME}"
"""The virtual account of the service: without a password, without rights, and used by no other service."""

ADMINISTRATORS = "*S-1-5-32-544"  # by number: the names differ from language to language
SYSTEM = "*S-1-5-18"

STOP_SECONDS = 7300
"""Longer than any drain: a delay and a time of up to an hour each."""

DOES_NOT_EXIST = (1060, 1)
"""Exit codes of ``sc query`` for an unknown service: ERROR_SERVICE_DOES_NOT_EXIST, and that of Wine's sc."""

_STATE = re.compile(r":\s+([1-7])\s")  # the words before it are translated; TYPE has two digits
_RUNNING = ("2", "3", "4")  # START_PENDING, STOP_PENDING, RUNNING

_KEY = rf"HKLM\SYSTEM\CurrentControlSet\Services\{NAME}"


@dataclass(frozen=True)
class WindowsServices:
    """``python`` and ``environment`` start the process of the service."""

    folder: Path
    python: str
    environment: Mapping[str, str]
    arguments: tuple[str, ...] = ("-m", "flask_shim", "service-host")
    profiles: Path | None = None
    installed_in: tuple[Path, ...] = ()
    is_administrator: bool = True
    copies_settings: bool = True
    title: str = "Windows"

    @classmethod
    def here(cls) -> WindowsServices:
        """Return the one of this machine."""
        folder = site_data_path("flask-shim", appauthor=False)
        python = getattr(sys, "_base_executable", sys.executable)
        return cls(
            folder,
            python,
            # A virtual environment's python.exe would start the base one as another process, which the service manager
            # logs as wrong (event 7039). This variable is how multiprocessing starts processes without it.
            {"__PYVENV_LAUNCHER__": sys.executable} if python != sys.executable else {},
            profiles=Path.home().parent,
            installed_in=(Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parent),
            is_administrator=_is_administrator(),
        )

    @property
    def settings(self) -> Path:
        """Return the file in the folder of the service."""
        return self.folder / ".env"

    @property
    def log(self) -> str:
        """Return where the service logs unless its settings name another file."""
        return str(self.folder / "logs" / "shim.log")

    def obstacle(self) -> str | None:
        """Check for an administrator, and for an installation that the account of the service can read."""
        if not self.is_administrator:
            return "This needs an administrator: open the terminal with “Run as administrator”."
        places = (*self.installed_in, Path(self.python))  # the Python of the Microsoft Store is started in the profile
        inside = [place for place in places if self.profiles and place.is_relative_to(self.profiles)]
        if inside:
            return (
                f"A service can't read {inside[0]}, where flask-shim or its Python is installed. "
                r"Install Python for all users, for example with py install 3 --target=C:\flask-shim\python, "
                r"and flask-shim with that Python into a folder such as C:\flask-shim."
            )
        return None

    def state(self, run: Runner) -> State:
        """Ask the service manager."""
        found = run(("sc.exe", "query", NAME))
        if found.code in DOES_NOT_EXIST:
            return State.NOT_INSTALLED
        code = _STATE.search(found.output)
        return State.RUNNING if code and code.group(1) in _RUNNING else State.STOPPED

    def install(self, config: Config, settings: str | None) -> Sequence[Step]:
        """Create the service; then its account exists, and gets access to the folder before settings are written."""
        seconds = stop_timeout(config)
        process = [self.python, *self.arguments, "--stop-timeout", str(seconds), "--log", self.log]
        command = subprocess.list2cmdline(process)
        environment = {
            "PYTHONUTF8": "1",
            "SHIM_ENV_FILE": str(self.settings),
            "SHIM_SERVICE_LOG_FILE": self.log,
            "SHIM_SERVICE_DATA_DIR": str(self.folder / "data"),
            **self.environment,
        }
        return [
            _sc("create", "binPath=", command, "start=", "delayed-auto", "obj=", ACCOUNT, "DisplayName=", NAME),
            _sc("description", "Ollama server whose models run in LM Studio"),
            # Wrong settings end the service with an error, which is no crash and starts nothing again.
            _sc("failure", "reset=", "3600", "actions=", "restart/5000/restart/30000/restart/60000"),
            _reg("Environment", "REG_MULTI_SZ", "|".join(f"{name}={text}" for name, text in environment.items())),
            _reg("PreshutdownTimeout", "REG_DWORD", str(seconds * 1000)),
            *self._folders(),
            *([] if settings is None else [write_file(self.settings, settings)]),
        ]

    def _folders(self) -> Sequence[Step]:
        """Make the folders, and take them from a user who made them first: all users may create folders there."""
        folder, logs, data = str(self.folder), self.folder / "logs", self.folder / "data"
        own = [f"{who}:(OI)(CI)F" for who in (ADMINISTRATORS, SYSTEM)]
        return [
            make_folder(logs),
            make_folder(data),
            _icacls(folder, "/setowner", ADMINISTRATORS, "/T"),
            _icacls(folder, "/inheritance:r", "/grant:r", *own, f"{ACCOUNT}:(OI)(CI)RX"),
            _icacls(f"{folder}\\*", "/reset", "/T"),
            *(_icacls(str(each), "/grant", f"{ACCOUNT}:(OI)(CI)M") for each in (logs, data)),
        ]

    def start(self) -> Sequence[Step]:
        """Start the service."""
        return [_sc("start")]

    def stop(self) -> Sequence[Step]:
        """Stop the service and wait for it: the request itself returns at once."""
        return [
            _sc("stop"),
            wait_until("the service has stopped", lambda run: self.state(run) is not State.RUNNING, STOP_SECONDS),
        ]

    def remove(self, state: State) -> Sequence[Step]:
        """Stop the service and remove it."""
        return [*(self.stop() if state is State.RUNNING else ()), _sc("delete")]

    def advice(self) -> str:
        """Say when it runs."""
        return "It starts two minutes after the machine, and again when it fails."


def _sc(action: str, *words: str) -> Step:
    return run_command("sc.exe", action, NAME, *words)


def _reg(value: str, kind: str, data: str) -> Step:
    # No path contains the separator.
    return run_command("reg.exe", "add", _KEY, "/v", value, "/t", kind, "/s", "|", "/d", data, "/f")


def _icacls(path: str, *words: str) -> Step:
    return run_command("icacls.exe", path, *words, "/Q")


def _is_administrator() -> bool:
    if sys.platform != "win32":
        return False
    import ctypes

    return bool(ctypes.windll.shell32.IsUserAnAdmin())
