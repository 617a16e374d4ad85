"""The shim as users start it: a process of its own, on a port of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping

import requests

from flask_shim.config import SETTINGS
from support.wine import IS_WINE, SLOWNESS

DEADLINE_SECONDS = 15.0 * SLOWNESS

START_SECONDS = 100.0 if IS_WINE else 50.0
"""How long to wait for a line of a process, or for the end of a command: imports take long on a busy machine.

It is less than the limit of a test, 60 s and under Wine 120 s.
"""

STOP = signal.CTRL_BREAK_EVENT if sys.platform == "win32" else signal.SIGTERM
"""What a service manager sends."""

SETTING_NAMES = {name for setting in SETTINGS for name in setting.names}


def clean_environment() -> dict[str, str]:
    """Return this process' environment without any setting of the shim."""
    return {name: value for name, value in os.environ.items() if name not in SETTING_NAMES}


class ShimProcess:
    """``python -m flask_shim serve`` with settings of its own; a context manager.

        with ShimProcess(backend.url, SHIM_DRAIN_SECONDS="1") as shim:
            shim.get("/api/tags")

    It listens on a free port of 127.0.0.1 only, by default, and in a folder of its own; ready when made.
    ``arguments`` replaces the command: ``("demo", "--port", "0")``; ``module`` the program: ``"waitress"``.
    """

    def __init__(
        self,
        backend: str = "http://127.0.0.1:9",
        *,
        arguments: tuple[str, ...] = ("serve",),
        module: str = "flask_shim",
        **env: str,
    ):
        self._folder = tempfile.TemporaryDirectory(prefix="flask-shim Prüfung ", ignore_cleanup_errors=True)
        settings = {
            "SHIM_HOST": "127.0.0.1",
            "SHIM_PORT": "0",
            "SHIM_LMSTUDIO_BASE": backend,
            "SHIM_DATA_DIR": self._folder.name,
        }
        self._changed = threading.Condition()
        self._lines: list[str] = []
        self.process = start(arguments, settings | env, cwd=self._folder.name, module=module)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.session = requests.Session()
        self.session.trust_env = False
        try:
            self.url = self.until(r"(http://\S+)").group(1) if arguments[0] != "demo" else ""
            # It listens before it logs that: a request may have to wait, but is answered.
            assert not self.url or self.get("/health").status_code == 200
        except BaseException:
            self.kill()
            raise

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def log(self) -> str:
        """Everything it has written so far, to both streams."""
        with self._changed:
            return "".join(self._lines)

    def until(self, pattern: str, seconds: float = START_SECONDS) -> re.Match[str]:
        """Wait until something that matches ``pattern`` has been written, and return the match."""

        def found() -> re.Match[str] | None:
            return re.search(pattern, "".join(self._lines))

        with self._changed:
            self._changed.wait_for(lambda: found() or not self._reader.is_alive(), seconds)
            match = found()
        assert match, f"never wrote {pattern!r}:\n{self.log}"
        return match

    def get(self, path: str, **options) -> requests.Response:
        return self.session.get(self.url + path, timeout=DEADLINE_SECONDS, **options)

    def post(self, path: str, payload: object, **options) -> requests.Response:
        return self.session.post(self.url + path, json=payload, timeout=DEADLINE_SECONDS, **options)

    def chat(self, text: str = "Hello", model: str = "tiny", **more: object) -> requests.Response:
        """Ask for a streamed chat; what it answers is read with ``iter_lines``."""
        payload = {"model": model, "messages": [{"role": "user", "content": text}]}
        return self.post("/api/chat", payload | more, stream=True)

    def signal(self, number: int = STOP) -> None:
        """Send a signal; SIGINT becomes Ctrl-Break on Windows, where Ctrl-C can't be sent to one process."""
        if sys.platform == "win32" and number == signal.SIGINT:
            number = signal.CTRL_BREAK_EVENT
        self.process.send_signal(number)

    def wait(self, seconds: float = DEADLINE_SECONDS) -> int:
        """Wait until it has ended; return its exit code, with everything it wrote in ``log``."""
        code = self.process.wait(seconds)
        self._reader.join(seconds)
        return code

    def stop(self, number: int = STOP, seconds: float = DEADLINE_SECONDS) -> int:
        """Stop it with a signal and return its exit code."""
        self.session.close()
        if self.process.poll() is None:
            self.signal(number)
        return self.wait(seconds)

    def kill(self) -> None:
        """End it at once, however it is, and what it has."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(DEADLINE_SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._folder.cleanup()

    def __enter__(self) -> ShimProcess:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self.kill()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()


def start(
    arguments: tuple[str, ...], env: Mapping[str, str], cwd: str | None = None, module: str = "flask_shim"
) -> subprocess.Popen[str]:
    """Start ``python -m flask_shim`` with these arguments and settings; both streams come out of ``stdout``."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env=clean_environment() | {"PYTHONIOENCODING": "utf-8"} | dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        creationflags=subprocess.CREATE_NEW_PROCESS_GROUP if sys.platform == "win32" else 0,
    )


def run(*arguments: str, **env: str) -> tuple[int, str]:
    """Run a command that ends by itself; return its exit code and all it wrote."""
    with tempfile.TemporaryDirectory() as folder, start(arguments, env, cwd=folder) as process:
        try:
            output, _ = process.communicate(timeout=START_SECONDS)
        finally:
            process.kill()
        return process.returncode, output
