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


IN_A_DELETED_FOLDER = "import os, runpy; os.rmdir(os.getcwd()); runpy.run_module('flask_shim', run_name='__main__')"


@pytest.mark.skipif(sys.platform == "win32", reason="a folder that is in use can't be deleted there")
def test_a_deleted_folder_is_reported(tmp_path):
    (folder := tmp_path / "gone").mkdir()
    command = [sys.executable, "-c", IN_A_DELETED_FOLDER, "init", "--yes"]
    ended = subprocess.run(command, capture_output=True, cwd=folder, text=True, check=False)
    text = "The current folder does not exist any more. Change to another one.\n"
    assert (ended.returncode, ended.stderr) == (1, text)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
@pytest.mark.parametrize("words", ["--version", "config nginx", "serve --port 0"])
def test_a_full_disk_is_reported(tmp_path, words):
    command = [sys.executable, "-m", "flask_shim", *words.split()]
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, cwd=tmp_path, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (1, "[Errno 28] No space left on device\n")


WITHOUT_TEMPORARY_FOLDERS = """
import runpy, tempfile
tempfile._candidate_tempdir_list = list
runpy.run_module("flask_shim", run_name="__main__")
"""


def test_a_demo_without_a_folder_for_its_files_is_reported(tmp_path):
    command = [sys.executable, "-c", WITHOUT_TEMPORARY_FOLDERS, "demo"]
    ended = subprocess.run(command, capture_output=True, cwd=tmp_path, text=True, check=False)
    assert ended.returncode == 1
    assert "No usable temporary directory found" in ended.stderr
    assert "Traceback" not in ended.stderr


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
