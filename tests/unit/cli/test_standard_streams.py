"""Standard streams without all bytes or characters, or none at all, as pythonw and Windows services start it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from support.ports import accepts, unused_port
from support.processes import clean_environment
from support.wire import send_request

from flask_shim.cli import cli


def test_a_pipe_may_have_bytes_outside_its_encoding():
    command = [sys.executable, "-m", "flask_shim", "run", "tiny", "--url", "http://127.0.0.1:9"]
    environ = os.environ | {"PYTHONIOENCODING": "ascii"}
    ended = subprocess.run(command, input="hällo 🦊".encode(), capture_output=True, env=environ, check=False)
    assert ended.returncode == 1
    assert b"Traceback" not in ended.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="only a shell of POSIX closes a stream")
@pytest.mark.parametrize("words", [("run", "tiny", "Hello", "--url", "http://127.0.0.1:9"), ("top",), ("init",)])
def test_closed_streams_are_no_terminal(tmp_path, words):
    command = f"exec {shlex.join([sys.executable, '-m', 'flask_shim', *words])} <&- >&-"
    ended = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, cwd=tmp_path, text=True, check=False)
    assert (ended.returncode, "Traceback" in ended.stderr) == (1, False)


SERVE = ("-m", "flask_shim", "serve")


def command() -> list[str]:
    """Return the command that starts Python without any standard stream."""
    if sys.platform == "win32":
        return [str(Path(sys.executable).with_name("pythonw.exe")), *SERVE]
    return ["sh", "-c", f"exec {shlex.join([sys.executable, *SERVE])} <&- >&- 2>&-"]


def test_shim_without_standard_streams_serves_and_logs(tmp_path, until):
    port, log = unused_port(), tmp_path / "Protokolle für alle" / "shim.log"
    settings = {
        "SHIM_HOST": "127.0.0.1",
        "SHIM_PORT": str(port),
        "SHIM_LMSTUDIO_BASE": "http://127.0.0.1:9",
        "SHIM_DATA_DIR": str(tmp_path / "Daten"),
        "SHIM_LOG_FILE": str(log),
    }
    with subprocess.Popen(command(), env=clean_environment() | settings, cwd=tmp_path) as process:
        try:
            until(lambda: accepts(port))
            assert send_request(port, "/api/version").status == 200
            until(lambda: "path=/api/version status=200" in log.read_text(encoding="ascii"))
        finally:
            process.kill()
    assert "Traceback" not in log.read_text(encoding="ascii")


def test_stop_of_the_windows_service_while_it_starts_is_no_crash(monkeypatch, tmp_path):
    codes = []
    host = SimpleNamespace(run=lambda serve: codes.append(serve()))
    process = SimpleNamespace(WindowsService=lambda *_: host)
    monkeypatch.setitem(sys.modules, "flask_shim.deploy.service.windows_process", process)

    def stopped(config):
        raise KeyboardInterrupt

    monkeypatch.setattr("flask_shim.config.data_folder.check", stopped)
    CliRunner().invoke(cli, ["service-host", "--stop-timeout", "5", "--log", str(tmp_path / "log")])
    assert codes == [0]
